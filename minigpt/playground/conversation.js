// A conversation is a tree: editing a message or asking for another answer begins a branch beside
// the one that was there. What is seen is one path through it. Nothing is drawn or saved here.
//
//   {id, title, changed, system, model, chosen, nodes: [node]}
//   node: {id, parent, chosen, role: "user" | "assistant", content, ...}
//
// A node's id is its place in `nodes`; `parent` and `chosen` (the child on the path) are ids
// or null.
// An assistant's node also has what ask.js notes down: tokens, times, how it ended.

const UNTITLED = "New conversation";

export const newId = () => Date.now().toString(36) + Math.random().toString(36).slice(2, 8);

export function newConversation() {
  const id = newId();
  return { id, title: "", changed: Date.now(), system: "", model: null, chosen: null, nodes: [] };
}

// Give the nodes that are seen, the first message first.
export function path(conversation) {
  const nodes = [];
  for (let at = conversation.chosen; at !== null; at = nodes.at(-1).chosen) {
    nodes.push(conversation.nodes[at]);
  }
  return nodes;
}

// Add a node under a parent (null: the conversation's first message); it is the one that is seen
// from now on.
export function add(conversation, parent, role, content) {
  const id = conversation.nodes.length;
  const node = { id, parent: parent?.id ?? null, chosen: null, role, content };
  conversation.nodes.push(node);
  choose(conversation, node);
  return node;
}

// Have this node seen instead of the others beside it.
export function choose(conversation, node) {
  const parent = node.parent === null ? conversation : conversation.nodes[node.parent];
  parent.chosen = node.id;
  conversation.changed = Date.now();
}

// Give the nodes that stand beside each other, this one among them, the oldest first.
export function siblings(conversation, node) {
  return conversation.nodes.filter((other) => other.parent === node.parent);
}

export function parentOf(conversation, node) {
  return node.parent === null ? null : conversation.nodes[node.parent];
}

// Give the messages up to a node, itself included, as OpenAI's API takes them.
export function messages(conversation, node) {
  const said = [];
  for (let at = node; at; at = parentOf(conversation, at)) {
    // an answer of nothing could not be shown to a model again
    said.unshift({ role: at.role, content: at.content.trim() ? at.content : "..." });
  }
  const system = conversation.system.trim();
  return system ? [{ role: "system", content: system }, ...said] : said;
}

// Give the question from which on a model saw the conversation when it gave the last answer on the
// path: {node, model}; null where it saw all, or where that is not known. What it was given ends
// with the token that an answer follows, so it holds that token once for each answer it saw, and
// once for its own.
export function horizon(conversation) {
  const nodes = path(conversation);
  const last = nodes.findLast(({ promptIds, prompt }) => promptIds?.length && prompt == null);
  if (!last) return null;
  const before = nodes.slice(0, nodes.indexOf(last) - 1);
  const sign = last.promptIds.at(-1);
  const seen = last.promptIds.filter((id) => id === sign).length - 1;
  const forgotten = before.length - 2 * seen;
  return forgotten > 0 ? { node: nodes[forgotten], model: last.model } : null;
}

// Make a conversation of messages in OpenAI's form; throw an Error that says what is wrong with
// them.
export function fromMessages(given) {
  if (!Array.isArray(given) || !given.length) throw new Error("there are no messages");
  const conversation = newConversation();
  let last = null;
  given.forEach((message, i) => {
    const { role, content } = message ?? {};
    const where = `message ${i + 1}`;
    if (typeof content !== "string") throw new Error(`${where} has no text as its content`);
    if (i === 0 && role === "system") {
      conversation.system = content;
      return;
    }
    const turn = last?.role === "user" ? "assistant" : "user";
    if (role !== turn) throw new Error(`${where} must be of the ${turn}, since they take turns`);
    last = add(conversation, last, role, content);
    if (role === "assistant") last.finish = "stop";
  });
  if (!last) throw new Error("there is nothing but what the system says");
  conversation.title = titleOf(conversation);
  return conversation;
}

// Give a conversation back if it is as this file says; else throw. The path through it comes to an
// end because every node stands after its parent.
export function check(conversation) {
  const { title, changed, system, model, chosen, nodes } = conversation;
  const isText = (value) => typeof value === "string";
  const leads = (child, from) => child === null || nodes[child]?.parent === from;
  const sound = nodes.every(
    (node, i) =>
      node.id === i &&
      (node.role === "user" || node.role === "assistant") &&
      isText(node.content) &&
      (node.parent === null || (nodes[node.parent] && node.parent < i)) &&
      leads(node.chosen, i),
  );
  const whole = isText(title) && isText(system) && (model === null || isText(model));
  if (!sound || !whole || !leads(chosen, null) || typeof changed !== "number") {
    throw new Error("this is no conversation");
  }
  return conversation;
}

// Tell whether a text, in small letters, stands in the title or in anything that was said.
export function mentions({ title, nodes }, text) {
  return [title, ...nodes.map(({ content }) => content)].some((said) =>
    said.toLowerCase().includes(text),
  );
}

// Give a title: the beginning of the first message.
export function titleOf(conversation) {
  const start = (path(conversation)[0]?.content ?? "").slice(0, 1000);
  const letters = [...start.trim().replace(/\s+/g, " ")]; // never half of a character
  return letters.length > 48 ? `${letters.slice(0, 47).join("")}…` : letters.join("") || UNTITLED;
}
