// Saved conversations: in this browser's localStorage, one entry each, "minigpt.conversation.ID".
// They never leave the machine but by "Export".
//
// The storage holds about five million characters. Most of a conversation is what its tokens might
// have been, so when all is full these are forgotten first, in the oldest conversations first.
//
// A file holds a conversation a line, {"messages": [...]}, as `python -m minigpt sft` reads
// them, too.

import { fromMessages, messages, path } from "./conversation.js";

const PREFIX = "minigpt.conversation.";
const opened = new Map(); // id -> the conversation, so that there is only one of each

// Give {id, title, changed} of all, the newest first.
export function list() {
  const ids = Object.keys(localStorage).filter((key) => key.startsWith(PREFIX));
  const all = ids.map((key) => load(key.slice(PREFIX.length))).filter(Boolean);
  return all.sort((a, b) => b.changed - a.changed);
}

// Give a conversation, or null where there is none (or something else in its place).
export function load(id) {
  if (!opened.has(id)) {
    try {
      opened.set(id, unpack(JSON.parse(localStorage.getItem(PREFIX + id))));
    } catch {
      return null;
    }
  }
  return opened.get(id);
}

// Save; give whether there was room, if need be after forgetting old tokens.
export function save(conversation) {
  opened.set(conversation.id, conversation);
  const text = () => JSON.stringify(pack(conversation));
  if (put(conversation.id, text())) return true;
  for (const old of list().reverse()) {
    if (!old.nodes.some((node) => node.tokens)) continue;
    for (const node of old.nodes) delete node.tokens;
    put(old.id, JSON.stringify(pack(old)));
    if (put(conversation.id, text())) return true;
  }
  return false;
}

function put(id, text) {
  try {
    localStorage.setItem(PREFIX + id, text);
    return true;
  } catch {
    return false; // QuotaExceededError
  }
}

export function remove(id) {
  localStorage.removeItem(PREFIX + id);
  opened.delete(id);
}

// Forget what is in memory, since another tab of the browser has written.
export function forgetOpened(key) {
  if (key?.startsWith(PREFIX)) opened.delete(key.slice(PREFIX.length));
}

// A token is kept as [id, logprob, bytes, top], its bytes as characters 0-255: a third of the room.
const packed = ({ id, logprob, bytes }) => [id, +logprob.toFixed(4), String.fromCharCode(...bytes)];
const unpacked = ([id, logprob, bytes]) => ({
  id,
  logprob,
  bytes: [...bytes].map((c) => c.charCodeAt(0)),
});

function pack(conversation) {
  const nodes = conversation.nodes.map(({ controller, ...node }) => ({
    ...node,
    tokens: node.tokens?.map((token) => [...packed(token), token.top.map(packed)]),
  }));
  return { ...conversation, nodes };
}

function unpack(conversation) {
  for (const node of conversation.nodes) {
    if (node.tokens) {
      node.tokens = node.tokens.map((t) => ({ ...unpacked(t), top: t[3].map(unpacked) }));
    }
    // the page was left in the middle of it
    if (node.role === "assistant" && !node.finish) node.finish = "stopped";
  }
  return conversation;
}

// ---- files ----------------------------------------------------------------------------------

// Give conversations as JSON Lines: of each the path that is seen.
export function toLines(conversations) {
  const lines = conversations
    .filter((conversation) => path(conversation).length)
    .map((conversation) =>
      JSON.stringify({ messages: messages(conversation, path(conversation).at(-1)) }),
    );
  return lines.map((line) => line + "\n").join("");
}

// Make conversations of JSON Lines; throw an Error that names the line and what is wrong with it.
export function fromLines(text) {
  const found = [];
  text.split("\n").forEach((line, i) => {
    if (!line.trim()) return;
    try {
      found.push(fromMessages(JSON.parse(line).messages));
    } catch (error) {
      const reason = error instanceof SyntaxError ? "this is no JSON" : error.message;
      throw new Error(`Line ${i + 1}: ${reason}. Each line must be {"messages": [...]}.`);
    }
  });
  if (!found.length) throw new Error("The file is empty; it must hold conversations, one a line.");
  return found;
}
