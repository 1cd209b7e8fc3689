// What every other file needs: the page's data, addresses, ids, requests and a place for news.

export const $ = (selector, root = document) => root.querySelector(selector);
export const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

const data = document.body.dataset;

export const page = {
  conversation: data.conversation || uuid(),
  isNew: data.new === "yes",
  revision: Number(data.revision) || 0,
  maxChars: Number(data.messageChars) || Infinity,
  maxFrame: Number(data.frameBytes) || Infinity,
  signIn: data.signIn,
  icons: data.icons,
};

/** "running" (turn or null), "known" (the conversation has been made), "model" (another was chosen). */
export const news = new EventTarget();
export const tell = (name, detail) => news.dispatchEvent(new CustomEvent(name, { detail }));
export const hear = (name, then) => news.addEventListener(name, event => then(event.detail));

export const url = {
  home: data.home,
  conversation: (id = page.conversation) => `${data.home}c/${id}/`,
  of: (what, id = page.conversation) => `${data.home}c/${id}/${what}`,
  turn: (turn, what = "") => `${data.home}c/${page.conversation}/turns/${turn}/${what}`,
  sidebar: () => `${data.home}sidebar?current=${page.isNew ? "" : page.conversation}`,
};

/** Whether a turn in this state gets no further events. */
export const ended = state => state !== "queued" && state !== "streaming";

/** crypto.randomUUID is missing on plain http beyond localhost; the random source is not. */
export function uuid() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, byte => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

const token = () => JSON.parse(document.body.getAttribute("hx-headers"))["X-CSRFToken"];

/** A POST as htmx would send it; the answer, or an Error with a sentence for the reader. */
export async function post(address, fields = {}) {
  let answer;
  try {
    answer = await fetch(address, {
      method: "POST", redirect: "manual", body: new URLSearchParams(fields),
      headers: { "X-CSRFToken": token(), "HX-Request": "true", "HX-Current-URL": location.href },
    });
  } catch { throw new Error("The server could not be reached. Nothing was changed."); }
  if (answer.type === "opaqueredirect") throw new Error("You may have been signed out. Reload the page.");
  if (!answer.ok) throw new Error(isSentence(answer.headers.get("Content-Type")) ? await answer.text() : refusal(answer.status));
  return answer;
}

/** The one element of a fragment, made ready for htmx. */
export async function fragment(address) {
  const answer = await fetch(address, { headers: { "HX-Request": "true" }, redirect: "manual" });
  if (!answer.ok) throw new Error(refusal(answer.status));
  const holder = document.createElement("template");
  holder.innerHTML = (await answer.text()).trim();
  const element = holder.content.firstElementChild;
  if (!element) throw new Error("The server sent an empty page.");
  return document.adoptNode(element);
}

export const ready = element => window.htmx?.process(element);

/** The server refuses with a sentence of its own where it has one, as plain text. */
export const isSentence = type => (type ?? "").startsWith("text/plain");

export function refusal(status) {
  if (status === 403) return "This page is too old. Reload it and try again.";
  if (status === 404) return "It does not exist any more.";
  if (status === 409) return "That is not possible at this point.";
  if (status === 413) return "That is too long.";
  if (status === 429) return "Too many at once. Wait a minute and try again.";
  return status >= 500 ? "A fault of ours. Nothing was lost; try again." : "The server refused that.";
}

/** A message as it is sent: an indented first line keeps its place, as code must. */
export const tidy = text => text.replace(/^\n+|\s+$/g, "");

/** localStorage may be full or refused; the page works without. */
export const store = {
  get(key) { try { return localStorage.getItem(`stet.${key}`); } catch { return null; } },
  set(key, value) {
    try { if (value) localStorage.setItem(`stet.${key}`, value); else localStorage.removeItem(`stet.${key}`); } catch { /* as without */ }
  },
};

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "i");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `${page.icons}#i-${name}`);
  svg.append(use);
  return svg;
}

export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.filter(child => child != null));
  return element;
}

/** What is announced to those who listen: one sentence, politely. */
export function say(sentence) { $("#said").textContent = sentence; }

/** "14:33" by the reader's clock; the server wrote the hour in UTC. */
export function localTimes(root) {
  for (const time of $$("time[datetime]", root)) {
    const at = new Date(time.dateTime);
    if (isNaN(at)) continue;
    time.textContent = [at.getHours(), at.getMinutes()].map(number => String(number).padStart(2, "0")).join(":");
    time.title = at.toLocaleString([], { dateStyle: "full", timeStyle: "short" });
  }
}
