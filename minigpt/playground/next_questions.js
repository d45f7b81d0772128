// What may be asked next: beneath the last answer, of what was taught.

import { path } from "./conversation.js";

const MOST = 3;
const NOT_TAUGHT = /: I was not taught /; // further.py

// Give at most three questions. All are about what was taught, and was answered right in the
// examination; none was asked in this conversation, nor its name answered about in other words.
export function nextQuestions(conversation, names) {
  if (!endsWithAnswer(conversation)) return [];
  const nodes = path(conversation);
  const [{ content: question }, { content: answer }] = nodes.slice(-2);
  const about = findName(answer, names);
  const others = about ? around(about, answer, names) : [];
  others.push(...namedIn(question, names).filter((one) => one !== about));
  const asked = new Set(nodes.map(({ content }) => content));
  const told = new Set(nodes.slice(0, -1).map(({ content }) => findName(content, names)));
  const asks = others.filter((one) => one.right && !told.has(one)).map(({ ask }) => ask);
  const questions = [...(about?.more ?? []), ...asks];
  return questions.filter((each) => !asked.has(each)).slice(0, MOST);
}

// Give the name itself, if the answer was that something of it was not taught; that to which it
// belongs, what belongs to it, and what stands beside it.
function around(about, answer, names) {
  const place = names.indexOf(about);
  const fromHere = [...names.slice(place + 1), ...names.slice(0, place)];
  const beside = fromHere.filter(
    ({ parent, kind }) => parent === about.parent && kind === about.kind,
  );
  return [
    ...(NOT_TAUGHT.test(answer) ? [about] : []),
    ...names.filter(({ name }) => name === about.parent),
    ...fromHere.filter(({ parent }) => parent === about.name),
    ...(about.parent ? beside : []), // who belongs to nothing has only neighbours
  ];
}

// Give the names that are words of a question, whole or by their end, then the shortest first: list
// and list.sort of "How do I sort a list?".
function namedIn(question, names) {
  const words = new Set(question.toLowerCase().match(/\w+([.-]+\w+)*/g));
  const end = (name) => (name.includes(" ") ? "" : name.split(/[.-]/).at(-1));
  const whole = names.filter(({ name }) => words.has(name.toLowerCase()));
  const byEnd = names.filter(({ name }) => words.has(end(name.toLowerCase())));
  byEnd.sort((one, other) => one.name.length - other.name.length);
  return [...new Set([...whole, ...byEnd])];
}

// Whether an assistant said something last, and came to its end.
export function endsWithAnswer(conversation) {
  const last = path(conversation).at(-1);
  return last?.role === "assistant" && last.finish === "stop" && last.prompt == null;
}

// Find the name that an answer is about: Module json: ..., git-commit: ..., Function isfile: it is
// in os.path.
function findName(answer, names) {
  const [start, text = ""] = answer.split(/: (.*)/s);
  const short = start.replace(/^\S+ /, "");
  const home = /^it is in (\S+)\.$/.exec(text)?.[1];
  const spelled = [start, short, `${home}.${short}`];
  return names.find(({ name }) => spelled.includes(name));
}
