// Ask a model and note down what comes, in an assistant's node:
//
//   content   the text so far
//   tokens    see tokens.js
//   promptIds the ids that the model was given
//   model, temperature
//   limited   whether top-k, top-p or min-p kept the unlikely from being drawn
//   penalised whether a repetition penalty made rarer what was there already
//   kept      how many of the tokens were there before, in a branch of another answer
//   chosenAt  in a branch: the places of the tokens that were chosen by the reader, not drawn
//   prompt    the message that a base model goes on with, else null
//   finish    null while it writes, then "stop" (its own end), "length" (max tokens), "stopped" (by
//             the person, who may have left the page) or "broken"; then, as api.js says it,
//             `problem` is {message, retryable, refused, modelGone}
//   firstMs, ms   until the first token, and until the last one
//   note      a sentence about how it came to be, if there is something to say
//
// An assistant gets the conversation by /v1/chat/completions. A base model knows no conversations:
// it gets all that was said as one text, by /v1/completions, and goes on with it; of what does not
// fit its window it sees the end.

import { isLeaving } from "./leaving.js";
import { endsAnswer, surprise, textOf, tokenOf } from "./tokens.js";

// each way of asking has its own form of "and show me the tokens, with ten alternatives"
const WATCH_CHAT = { logprobs: true, top_logprobs: 10, return_token_ids: true };
const WATCH_COMPLETION = { logprobs: 10, return_token_ids: true };

// Make the request for an answer: {path, body}, and for a base model {shown}, the last message.
export function requestFor(model, messages, settings) {
  const drawn = { model: model.id, ...sampling(settings) };
  const { max_tokens } = settings;
  if (model.minigpt.assistant) {
    return {
      path: "/v1/chat/completions",
      body: { ...drawn, ...WATCH_CHAT, messages, max_tokens },
    };
  }
  const text = { prompt: asText(messages), max_tokens, truncate_prompt_tokens: -1 };
  return { ...continuation({ ...drawn, ...text }), shown: messages.at(-1).content };
}

// Give a conversation as one text: an answer goes on with what was asked, a question begins a line.
function asText(messages) {
  const said = messages.filter(({ role }) => role !== "system");
  return said
    .map(({ role, content }, i) => (i > 0 && role === "user" ? `\n${content}` : content))
    .join("");
}

const continuation = (body) => ({
  path: "/v1/completions",
  body: { ...body, ...WATCH_COMPLETION },
});

// Give the settings as fields of a request; what is not set is not sent.
function sampling({ max_tokens, ...settings }) {
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== null));
}

// Ask, and fill `node` while the answer comes; `onProgress` is called after each piece. Never
// throws: what went wrong is noted in the node.
export async function ask(api, node, { path, body, shown }, { onProgress, signal }) {
  const started = performance.now();
  Object.assign(node, {
    model: body.model,
    temperature: body.temperature,
    limited: ["top_k", "top_p", "min_p"].some((name) => body[name] != null),
    penalised: (body.repetition_penalty ?? 1) !== 1,
    tokens: node.tokens ?? [],
    prompt: shown ?? node.prompt ?? null,
    promptIds: node.promptIds ?? null,
    finish: null,
    problem: null,
    firstMs: null,
    ms: null,
    kept: node.tokens?.length ?? 0,
  });
  try {
    await api.stream(path, body, {
      signal,
      onChunk: (chunk) => note(node, chunk, started, onProgress),
    });
    node.finish ??= "stop";
  } catch (error) {
    if (signal.aborted || isLeaving()) node.finish = "stopped";
    else
      Object.assign(node, {
        finish: "broken",
        problem: {
          message: error.message,
          retryable: !!error.retryable,
          refused: !!error.refused,
          modelGone: !!error.modelGone,
        },
      });
  }
  onProgress();
}

function note(node, chunk, started, onProgress) {
  if (chunk.prompt_token_ids) node.promptIds ??= chunk.prompt_token_ids;
  const choice = chunk.choices?.[0];
  if (!choice) return;
  const text = choice.delta?.content ?? choice.text ?? "";
  const tokens = (choice.logprobs?.content ?? []).map(tokenOf);
  if (text || tokens.length) {
    node.ms = performance.now() - started;
    node.firstMs ??= node.ms;
  }
  node.tokens.push(...tokens);
  // a branch may begin within a character, which the server, writing from there on, cannot show
  node.content = node.kept
    ? textOf(node.tokens.filter((token) => !endsAnswer(token)))
    : node.content + text;
  if (choice.finish_reason) node.finish = choice.finish_reason;
  onProgress();
}

// Fill `node` with the tokens of `old` before place `i` and another token there; give the request
// that goes on from there, or null where that token ends the answer.
export function branchAt(node, old, i, alternative, model, settings) {
  const chosen = { ...alternative, top: old.tokens[i].top };
  node.tokens = [...old.tokens.slice(0, i), chosen];
  node.chosenAt = [...(old.chosenAt ?? []).filter((place) => place < i), i];
  node.promptIds = old.promptIds;
  node.model = old.model;
  node.prompt = old.prompt;
  node.content = textOf(node.tokens.filter((token) => !endsAnswer(token)));
  if (endsAnswer(alternative)) {
    Object.assign(node, { finish: "stop", kept: node.tokens.length });
    return null;
  }
  const prompt = [...old.promptIds, ...node.tokens.map((token) => token.id)];
  const max_tokens = Math.max(1, settings.max_tokens - node.tokens.length);
  // -1: of what does not fit the window, only the end is seen
  const window = { prompt, max_tokens, truncate_prompt_tokens: -1 };
  return continuation({ model: model.id, ...sampling(settings), ...window });
}

// Give the figures of an answer: {n, meanSurprise, perSecond}, null where they are unknown. Seconds
// are counted from the question on, so a long wait for the first token makes an answer slow, too.
export function figures(node) {
  const tokens = node.tokens ?? [];
  const n = tokens.length;
  const bits = tokens.reduce((sum, token) => sum + surprise(token), 0);
  return {
    n,
    meanSurprise: n ? bits / n : null,
    perSecond: node.ms ? (1000 * (n - node.kept)) / node.ms : null,
  };
}
