// What may be asked next: beneath the last answer, where it is about a name that was taught.

import { path } from "./conversation.js";

const MOST = 3;
const NOT_TAUGHT = /: I was not taught /; // further.py

// Give at most three questions: for what the name is, if the answer was that something else of it
// was not taught; for what else was taught of it, for that to which it belongs, for what belongs to
// it, and for what stands beside it. All are about what was taught, and was answered right in the
// examination; none was asked in this conversation.
export function nextQuestions(conversation, names) {
  const nodes = path(conversation);
  const last = nodes.at(-1);
  const about = endsWithAnswer(conversation) && findName(last.content, names);
  if (!about) return [];
  const place = names.indexOf(about);
  const fromHere = [...names.slice(place + 1), ...names.slice(0, place)];
  const beside = fromHere.filter(
    ({ parent, kind }) => parent === about.parent && kind === about.kind,
  );
  const others = [
    ...(NOT_TAUGHT.test(last.content) ? [about] : []),
    ...names.filter(({ name }) => name === about.parent),
    ...fromHere.filter(({ parent }) => parent === about.name),
    ...beside.slice(0, about.parent ? MOST : 1), // who belongs to nothing has only neighbours
  ];
  const asks = others.filter(({ right }) => right).map(({ ask }) => ask);
  const asked = new Set(nodes.map(({ content }) => content));
  const questions = [...about.more, ...asks];
  return questions.filter((question) => !asked.has(question)).slice(0, MOST);
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
