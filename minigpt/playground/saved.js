// Saved conversations: in this browser's localStorage, one entry each, "minigpt.conversation.ID".
// They never leave the machine but by "Export".
//
// The storage holds about five million characters. Most of a conversation is what its tokens might
// have been, so when all is full these are forgotten first, in the oldest conversations first.
//
// A file holds a conversation a line, {"messages": [...]}, as `python -m minigpt sft` reads
// them, too.

import { check, fromMessages, messages, newId, path } from "./conversation.js";
import * as storage from "./storage.js";

export const NO_ROOM =
  "The browser has no room left: this is not saved. Export, then delete some.";

const PREFIX = "minigpt.conversation.";
const MOST_CHARACTERS = 5_000_000; // of a file: more would not fit the storage
const MOST_LINES = 1000;
const opened = new Map(); // id -> the conversation, so that there is only one of each
const seen = new WeakMap(); // conversation -> its text in the storage, when it was last looked at

// Give all conversations, those too for which there was no room; the newest first.
export function list() {
  const kept = storage.keys().filter((key) => key.startsWith(PREFIX));
  const ids = new Set([...kept.map((key) => key.slice(PREFIX.length)), ...opened.keys()]);
  const all = [...ids].map(load).filter(Boolean);
  return all.sort((a, b) => b.changed - a.changed);
}

// Give a conversation, or null where there is none (or something else in its place).
export function load(id) {
  if (!opened.has(id)) {
    const text = storage.read(PREFIX + id);
    try {
      const conversation = check(unpack(JSON.parse(text)));
      if (conversation.id !== id) return null;
      opened.set(id, conversation);
      seen.set(conversation, text);
    } catch {
      return null;
    }
  }
  return opened.get(id);
}

// Save; give whether there was room, if need be after forgetting old tokens.
export function save(conversation) {
  if (writtenElsewhere(conversation)) becomeCopy(conversation);
  opened.set(conversation.id, conversation);
  if (put(conversation)) return true;
  for (const old of list().reverse()) {
    if (!old.nodes.some((node) => node.tokens) || writtenElsewhere(old)) continue;
    for (const node of old.nodes) if (!node.controller) delete node.tokens;
    window.dispatchEvent(new Event("forgotten")); // they may be shown just now
    put(old);
    if (put(conversation)) return true;
  }
  return false;
}

function put(conversation) {
  const text = JSON.stringify(pack(conversation));
  if (!storage.write(PREFIX + conversation.id, text)) return false;
  seen.set(conversation, text);
  return true;
}

// Another tab of the browser may have the same conversation open. What it wrote is not overwritten:
// the conversation of this tab goes on as one of its own.
function writtenElsewhere(conversation) {
  const text = storage.read(PREFIX + conversation.id);
  return text !== null && text !== (seen.get(conversation) ?? null);
}

function becomeCopy(conversation) {
  if (opened.get(conversation.id) === conversation) opened.delete(conversation.id);
  conversation.id = newId();
  conversation.title += " (copy)";
}

export function remove(id) {
  storage.erase(PREFIX + id);
  opened.delete(id);
}

// Note that another tab has written under a key; give whether that was a conversation.
export function changedElsewhere(key) {
  if (!key?.startsWith(PREFIX)) return false;
  opened.delete(key.slice(PREFIX.length));
  return true;
}

// A token is kept as [id, logprob, bytes, top], its bytes as characters 0-255: a third of the room.
const packed = ({ id, logprob, bytes }) => [id, +logprob.toFixed(4), String.fromCharCode(...bytes)];
const unpacked = ([id, logprob, bytes]) => ({
  id,
  logprob: Number(logprob),
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
  if (text.length > MOST_CHARACTERS) {
    const millions = (text.length / 1e6).toFixed(1);
    throw new Error(`The file has ${millions} million characters; the browser keeps 5: split it.`);
  }
  const found = [];
  const now = Date.now();
  text.split("\n").forEach((line, i) => {
    if (!line.trim()) return;
    if (found.length === MOST_LINES) {
      throw new Error(`The file has more than ${MOST_LINES} conversations; take a part of it.`);
    }
    try {
      const conversation = fromMessages(JSON.parse(line)?.messages);
      conversation.changed = now - found.length; // listed as in the file: the newest comes first
      found.push(conversation);
    } catch (error) {
      const reason = error instanceof SyntaxError ? "this is no JSON" : error.message;
      throw new Error(`Line ${i + 1}: ${reason}. Each line must be {"messages": [...]}.`);
    }
  });
  if (!found.length) throw new Error("The file is empty; it must hold conversations, one a line.");
  return found;
}
