// Where did it get that? The long spans of an answer that stand word for word in the crawled
// pages, marked in the answer and listed with the pages that have them.
//
// The spans are the server's (POST /playground/api/sources), in characters of the text as the
// server counts them: code points. Showing a page is sources_page.js's.

import { el, fill } from "./dom.js";
import { showPage } from "./sources_page.js";

const LOOPBACK = /^(127\.[\d.]+|\[::1\]|(.+\.)?localhost)$/; // names of this machine
const AGAIN_MS = 1500; // while the server is still reading the training text

// Fill `root` with the sources of `text`, as the model wrote it; give a promise that is kept when
// the server has answered once.
export function showSources(root, { api, model, text }) {
  const state = el("p", { role: "status" });
  const answer = el("div", { class: "answer" });
  const list = el("ol", { class: "spans" });
  fill(root, el("div", { class: "sources-view" },
    el("p", {},
      "A model keeps no pages, only weights; yet it can repeat what it read. Here its words are " +
      "looked for in the crawled pages that it was trained on, letter for letter; not in the " +
      "conversations that made an assistant of it."),
    state, answer, list));

  async function ask() {
    if (!state.isConnected) return; // something else is shown by now
    let found;
    try {
      found = await api.post("/playground/api/sources", { text, model });
    } catch (error) {
      state.textContent = error.message;
      return;
    }
    if (found.indexing) {
      const share = `${10 * Math.floor(10 * (found.share ?? 0))} %`; // in tens: each is read aloud
      const reading = `Reading the training text, so that it can be searched: ${share} …`;
      if (state.textContent !== reading) state.textContent = reading;
      setTimeout(ask, AGAIN_MS);
    } else if (found.missing) {
      state.textContent = found.missing;
    } else {
      draw(found);
    }
  }

  function draw({ spans }) {
    const n = spans.length;
    const found = n === 1 ? "One passage was found." : `${n} passages were found, longest first.`;
    state.textContent = n
      ? found
      : "No long passage of it (five words or more, and no phrase that everybody uses) stands in " +
        "the pages: no page was copied.";
    fill(answer, n > 0 && marked(text, spans));
    fill(list, spans.map((span) => spanItem(span, text, api)));
  }

  state.textContent = "Searching …";
  return ask();
}

// The text with what stands in a span marked; spans may overlap.
function marked(text, spans) {
  const characters = [...text];
  const inside = new Uint8Array(characters.length);
  for (const { start, end } of spans) inside.fill(1, start, end);
  const parts = [];
  for (let from = 0, to; from < characters.length; from = to) {
    for (to = from; to < characters.length && inside[to] === inside[from]; to++);
    const part = characters.slice(from, to).join("");
    parts.push(inside[from] ? el("mark", {}, part) : part);
  }
  return parts;
}

function spanItem({ start, end, words, times, documents, places }, text, api) {
  const span = [...text].slice(start, end).join("");
  const often = times === 1 ? "once" : `${times.toLocaleString("en")} times`;
  const pages = documents === 1 ? "one page" : `${documents.toLocaleString("en")} pages`;
  const some = places.length < documents ? `; ${places.length} of them:` : "";
  return el("li", {},
    el("blockquote", {}, span),
    el("p", { class: "soft" }, `${words} words, ${often} in ${pages}${some}`),
    el("ul", {}, places.map((place) => placeItem(place, api))));
}

function placeItem({ url, title, excerpt, mark, page }, api) {
  const problem = el("p", { class: "problem", role: "alert", hidden: true });
  const show = el("button", { type: "button" }, "Show the text");
  show.addEventListener("click", async () => {
    try {
      const document = await api.get(page);
      if (document.indexing) throw new Error("The training text is being read anew; try again soon.");
      if (document.missing) throw new Error(document.missing);
      showPage(document);
      problem.hidden = true;
    } catch (error) {
      problem.textContent = error.message;
      problem.hidden = false;
    }
  });
  const name = address(url, title);
  return el("li", {}, name.href ? [name, " ", show] : [show, " ", name],
    excerpt && el("p", { class: "excerpt soft" }, around(excerpt, mark)), problem);
}

// An excerpt with the span in it marked: `mark` is [start, end] in code points.
function around(excerpt, [start, end]) {
  const characters = [...excerpt];
  const part = (from, to) => characters.slice(from, to).join("");
  return ["… ", part(0, start), el("mark", {}, part(start, end)), part(end), " …"];
}

// The page's name; a link only where its address is one of the web, since any other kind
// ("javascript:", "data:") could run something. A page of this machine itself (RFC 6761, section
// 6.3; RFC 5735, section 3) came from a server that ended with the crawl: its address is only told.
export function address(url, title) {
  let kind = "";
  let host = "";
  try {
    ({ protocol: kind, hostname: host } = new URL(url));
  } catch {
    // no address at all: shown as text
  }
  const name = title || url || "a page without address";
  if (kind !== "http:" && kind !== "https:") return el("span", {}, name);
  if (LOOPBACK.test(host)) {
    return el("span", {}, name, title && [" ", el("span", { class: "soft small" }, url)]);
  }
  return el("a", { href: url, target: "_blank", rel: "noopener noreferrer", title: url }, name);
}
