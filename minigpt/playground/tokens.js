// What the page knows of tokens: pure functions, nothing drawn, nothing asked.
//
// A token here is {id, logprob, bytes, top}: the probability that the model gave it, as a natural
// logarithm; its UTF-8 bytes, which need not be whole characters; and the likeliest tokens in its
// place, [{id, logprob, bytes}], the likeliest first. All before temperature and limits.

const decoder = new TextDecoder();
const strict = new TextDecoder("utf-8", { fatal: true });
const LESS_THAN = 0x3c; // the first byte of every control token
const ENDS = ["<|assistant_end|>", "<|endoftext|>"];

// Make a token of an entry of logprobs.content in an answer of the server.
export function tokenOf(entry) {
  const top = entry.top_logprobs.map(({ id, logprob, bytes }) => ({ id, logprob, bytes }));
  return { id: entry.id, logprob: entry.logprob, bytes: entry.bytes, top };
}

// Surprise in bits: how many times the field of possibilities had to be halved to get here.
export const surprise = (token) => -token.logprob / Math.LN2;

// Surprise as one of six steps; STEPS says where each begins, in bits.
export const STEPS = [0, 0.5, 1, 2, 4, 7];
export const step = (bits) => STEPS.findLastIndex((least) => bits >= least || least === 0);

// The place of a token among the likeliest, from 1; null where it is not among those known.
export function rank(token) {
  const i = token.top.findIndex((other) => other.id === token.id);
  return i < 0 ? null : i + 1;
}

// The alternatives at a token's place, with the token itself at the end where it is none of them.
export function alternatives(token) {
  return rank(token) ? token.top : [...token.top, token];
}

// The text of several tokens; what is no UTF-8 becomes U+FFFD.
export function textOf(tokens) {
  return decoder.decode(new Uint8Array(tokens.flatMap((token) => token.bytes)));
}

// A token's text where its bytes are whole characters, else the bytes that are not as ⟨E2 80⟩.
// Control characters, which have no width, get their pictures: U+2400 and what follows.
export function shown(bytes) {
  let text = "";
  for (let i = 0; i < bytes.length;) {
    const n = lengthOfCharacter(bytes, i);
    if (n) {
      text += decoder.decode(new Uint8Array(bytes.slice(i, i + n)));
      i += n;
    } else {
      const from = i;
      while (i < bytes.length && !lengthOfCharacter(bytes, i)) i += 1;
      const hexadecimal = bytes.slice(from, i).map((b) => b.toString(16).padStart(2, "0"));
      text += `⟨${hexadecimal.join(" ").toUpperCase()}⟩`;
    }
  }
  return text.replace(/[\x00-\x08\x0b-\x1f]/g, (c) => String.fromCharCode(0x2400 + c.charCodeAt(0)));
}

// The same on one line, for a list: white space gets a sign.
export function shownOnALine(bytes) {
  const signs = { " ": "·", "\n": "↵", "\t": "→" };
  return (shown(bytes) || "∅").replace(/[ \n\t]/g, (space) => signs[space]);
}

// How many bytes the character at i has; 0 where there is no whole one (RFC 3629, section 4).
function lengthOfCharacter(bytes, i) {
  const n =
    bytes[i] < 0x80 ? 1 : bytes[i] < 0xc2 ? 0 : bytes[i] < 0xe0 ? 2 : bytes[i] < 0xf0 ? 3 : 4;
  if (!n || i + n > bytes.length) return 0;
  try {
    strict.decode(new Uint8Array(bytes.slice(i, i + n)));
    return n;
  } catch {
    return 0;
  }
}

// Tokens in groups that are whole characters: [{start, tokens}]. Most groups are one token; a
// character that is made of several keeps them together.
export function groupsOf(tokens) {
  const groups = [];
  let missing = 0; // bytes that the last character still wants
  tokens.forEach((token, i) => {
    if (missing && token.bytes.length && (token.bytes[0] & 0xc0) === 0x80)
      groups.at(-1).tokens.push(token);
    else {
      groups.push({ start: i, tokens: [token] });
      missing = 0;
    }
    for (const byte of token.bytes) {
      if (byte < 0x80) missing = 0;
      else if (byte < 0xc0) missing = Math.max(0, missing - 1);
      else missing = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
    }
  });
  return groups;
}

// A control token of the chat format: one id that ends or begins a message.
const nameOf = (token) => (token.bytes[0] === LESS_THAN ? textOf([token]) : "");
export const isControl = (token) => /^<\|\w+\|>$/.test(nameOf(token));
export const endsAnswer = (token) => ENDS.includes(nameOf(token));

// A probability for a reader: 99.96 %, 99.3 %, 87 %, 3.1 %, 0.02 %, < 0.01 %.
export function percent(p) {
  const value = 100 * p;
  if (value >= 99.95) return value > 99.995 ? "100 %" : `${value.toFixed(2)} %`;
  if (value >= 99) return `${value.toFixed(1)} %`;
  if (value >= 10) return `${value.toFixed(0)} %`;
  if (value >= 1) return `${value.toFixed(1)} %`;
  return value >= 0.01 ? `${value.toFixed(2)} %` : "< 0.01 %";
}

// 1st, 2nd, 3rd, 4th, ..., 11th, ..., 21st, ...
export function ordinal(n) {
  const teen = n % 100 > 10 && n % 100 < 14;
  return `${n}${(!teen && ["th", "st", "nd", "rd"][n % 10]) || "th"}`;
}
