// The server, asked by fetch. Whatever goes wrong is thrown as an Error whose message is a sentence
// a person can act on; `retryable` says that asking the same again may help, `refused` that it
// cannot: what was asked has to be changed. `modelGone`: there is no such model any more;
// `keyMissing`: the key that the server wants was asked for, and not given.

import { askForKey, authorization } from "./key.js";

const KEY_MISSING = "This server wants its key. Reload the page, and give it.";
export const MODEL_GONE = "This model is no longer served. Choose another one, then ask again.";

// Give what a path answers, as an object.
export async function get(path) {
  return (await request(path)).json();
}

// Send an object, give the object that is answered.
export async function post(path, body, signal) {
  return (await request(path, body, signal)).json();
}

// Send an object; what is answered comes in chunks, as server-sent events (WHATWG HTML, 9.2):
//   data: {"choices": ...}      an empty line ends each
//   data: [DONE]                the last one
// Throws the signal's AbortError when the reader has enough.
export async function stream(path, body, { onChunk, signal }) {
  const response = await request(path, { ...body, stream: true }, signal);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    await readEvents(reader, onChunk, signal);
  } finally {
    reader.cancel().catch(() => {}); // or the server would go on for nobody
  }
}

async function readEvents(reader, onChunk, signal) {
  let rest = "";
  for (;;) {
    let piece;
    try {
      piece = await reader.read();
    } catch (error) {
      throw signal?.aborted ? error : broken();
    }
    if (piece.done) throw broken(); // [DONE] never came
    const lines = (rest + piece.value).split(/\r?\n/);
    rest = lines.pop(); // perhaps half a line
    for (const line of lines) {
      if (!line.startsWith("data:")) continue;
      const data = line.slice(5).trim();
      if (data === "[DONE]") return;
      const chunk = parse(data);
      if (chunk.error) throw problem(`The answer broke off: ${chunk.error.message}.`);
      onChunk(chunk);
    }
  }
}

async function request(path, body, signal) {
  const headers = { ...authorization(), ...(body && { "Content-Type": "application/json" }) };
  const method = body ? "POST" : "GET";
  let response;
  try {
    response = await fetch(path, { method, headers, body: body && JSON.stringify(body), signal });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw problem("The server does not answer. Start it again (make chat), then try again.", true);
  }
  if (response.ok) return response;
  if (response.status === 401 && (await askForKey())) return request(path, body, signal);
  throw await refusal(response);
}

// Make an Error of an answer that is none. The server's own sentence says what was wrong with what.
async function refusal(response) {
  if (response.status === 401) {
    return Object.assign(problem(KEY_MISSING), { keyMissing: true });
  }
  const error = (await response.json().catch(() => null))?.error;
  const sentence = error?.message;
  const wait = response.headers.get("Retry-After");
  const again = wait ? `Try again in ${wait} s.` : "Try again in a moment.";
  if (response.status === 429) return problem(`Too many are asking at once. ${again}`, true);
  if (response.status === 503) {
    return problem(`Not now: ${sentence ?? "the server is busy or starting"}. ${again}`, true);
  }
  if (response.status >= 500) {
    const said = capitalised(sentence ?? "the server failed");
    return problem(`${said}. What the server prints says more; try again.`, true);
  }
  if (error?.code === "model_not_found") {
    return Object.assign(problem(MODEL_GONE), { modelGone: true });
  }
  if (response.status !== 400 || !sentence) {
    return problem(ended(sentence ?? `The server refused (status ${response.status})`));
  }
  return Object.assign(problem(ended(withoutField(sentence, error.param))), { refused: true });
}

// A field's name, as in "messages: ...", says something to a program only.
function withoutField(sentence, field) {
  if (!sentence.startsWith(`${field}: `)) return sentence;
  return capitalised(sentence.slice(field.length + 2));
}

const ended = (text) => (/[.!?]$/.test(text) ? text : `${text}.`);

const capitalised = (text) => text.charAt(0).toUpperCase() + text.slice(1);

function parse(data) {
  try {
    return JSON.parse(data);
  } catch {
    throw problem("A piece of the answer cannot be read. What came is kept; try again.", true);
  }
}

const broken = () =>
  problem("The server stopped in the middle of the answer. What came is kept; try again.", true);

function problem(message, retryable = false) {
  return Object.assign(new Error(message), { retryable });
}
