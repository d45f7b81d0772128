// What may be asked next: beneath the last answer, of what was taught.

import { path } from "./conversation.js";

const MOST = 3;
const NOT_TAUGHT = /: I was not taught /; // further.py
const NOUN = /^(Module|Class|Method|Function|Page) /; // how answers begin: phrasings.py

// Words with which anything is asked, some of which are names, too (shutil.which, git show): they
// count as such only where they are written so, `all`, all() or ALL.
const EVERYDAY = new Set(
  ("a about all am an and any are as at be because but by can could do does else for from " +
    "get give had has have hello help how i if in into is it its just like many may me mean " +
    "more much my need new next no not now of off on one only or other our out please show so " +
    "some such tell than thank thanks that the their them then there these they this those to " +
    "too try under up us use used using want was way we well were what when where which while " +
    "who why will with without would yes you your").split(" "),
);
const PART = "[\\p{L}\\p{M}\\p{N}_]+";
const WORD = new RegExp(`([\`'"]?)(${PART}(?:[.-]+${PART})*)(\\(?)`, "gu");

// Give at most three questions. All are about what was taught. Left out is what the examination saw
// answered wrongly; what was said in this conversation, a question or the taught answer to it; and
// what a name is that something was said of.
export function nextQuestions(conversation, names) {
  if (!endsWithAnswer(conversation)) return [];
  const nodes = path(conversation);
  const [{ content: question }, { content: answer }] = nodes.slice(-2);
  const about = findName(answer, names);
  const others = about ? around(about, answer, names) : [];
  others.push(...namedIn(question, names).filter((one) => one !== about));
  const said = new Set(nodes.map(({ content }) => content.trim()));
  const told = new Set(nodes.slice(0, -1).map(({ content }) => findName(content, names)));
  const more = (about?.more ?? []).filter((each) => !said.has(each.answer));
  const what = others.filter((one) => one.right && !told.has(one));
  const questions = new Set([...more, ...what].map(({ ask }) => ask));
  return [...questions].filter((each) => !said.has(each)).slice(0, MOST);
}

// Give the name itself, if the answer told something else of it, or that this was not taught; that
// to which it belongs, what belongs to it, and what stands beside it.
function around(about, answer, names) {
  const isElse = NOT_TAUGHT.test(answer) || about.more.some((each) => each.answer === answer);
  const place = names.indexOf(about);
  const fromHere = [...names.slice(place + 1), ...names.slice(0, place)];
  const beside = fromHere.filter(
    ({ parent, kind }) => parent === about.parent && kind === about.kind,
  );
  return [
    ...(isElse ? [about] : []),
    ...names.filter(({ name }) => name === about.parent),
    ...fromHere.filter(({ parent }) => parent === about.name),
    ...(about.parent ? beside : []), // who belongs to nothing has only neighbours
  ];
}

// Give the names that are words of a question, whole or by their end, then the shortest first: list
// and list.sort of "How do I sort a list?".
function namedIn(question, names) {
  const words = new Set();
  for (const [, quote, word, call] of question.matchAll(WORD)) {
    const written = quote || call || (word.length > 1 && word === word.toUpperCase());
    if (written || !EVERYDAY.has(word.toLowerCase())) words.add(word.toLowerCase());
  }
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

// Find the name that an answer is about: SELECT INTO: ..., Module json: ..., Function isfile: it is
// in os.path. A name may have ": " in it, so that of several the longest is meant.
function findName(answer, names) {
  const begins = (text) => names.filter(({ name }) => text.startsWith(`${name}: `));
  const longest = (found) => found.sort((a, b) => b.name.length - a.name.length)[0];
  const short = answer.replace(NOUN, "");
  const [, own, home] = /^(\S+): it is in (\S+)\.$/.exec(short) ?? [];
  const inHome = names.find(({ name }) => own && name === `${home}.${own}`);
  return longest(begins(answer)) ?? inHome ?? longest(begins(short));
}
