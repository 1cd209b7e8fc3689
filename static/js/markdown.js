// Markdown to DOM: markdown-it, then DOMPurify as the last to touch the HTML, then code and tables dressed by DOM calls.
import MarkdownIt from "../vendor/markdown-it-15.0.3.min.js";
import DOMPurify from "../vendor/dompurify-3.4.18.js";
import { make } from "./page.js";
import { copy } from "./copy.js";

const SAFE = /^(?:https?:\/\/|mailto:)/i;
const NESTING = 40;            // deeper is an attack, not a text
const BLOCK_CHARS = 150_000;    // a single block beyond this is shown as it was written, unless it is code
const CHUNK_CHARS = 20_000;    // a complete text is set in pieces of about this size
const MARKS = 4_000;           // as is one that consists of markup
const CELLS = 12_000;
const SLOW_MS = 250;
const HIGHLIGHT_CHARS = 40_000;

const md = new MarkdownIt({ html: false, linkify: true, typographer: false, maxNesting: NESTING });
md.linkify.set({ fuzzyLink: false, fuzzyEmail: false });
// Finds where blocks begin and end, and leaves their insides alone.
const blocks = new MarkdownIt({ html: false, maxNesting: NESTING });
blocks.core.ruler.disable(["inline"]);
md.validateLink = address => SAFE.test(address.trim());

// A foreign image is never loaded: it would tell its server who reads, and when. It is a link.
md.renderer.rules.image = (tokens, at) => {
  const address = tokens[at].attrGet("src") ?? "", text = tokens[at].content || address;
  const { escapeHtml } = md.utils;
  return `<a href="${escapeHtml(address)}">${escapeHtml(text)}</a>`;
};
// Columns are aligned by class: the policy of the pages forbids style attributes.
for (const rule of ["th_open", "td_open"])
  md.renderer.rules[rule] = (tokens, at, options, env, self) => {
    const style = tokens[at].attrGet("style") ?? "";
    tokens[at].attrs = null;
    if (style.includes("right")) tokens[at].attrSet("class", "num");
    else if (style.includes("center")) tokens[at].attrSet("class", "mid");
    return self.renderToken(tokens, at, options);
  };

const CLEAN = {
  ALLOWED_TAGS: ["p", "h1", "h2", "h3", "h4", "h5", "h6", "em", "strong", "s", "code", "pre", "blockquote", "ul", "ol", "li",
    "a", "br", "hr", "table", "thead", "tbody", "tr", "th", "td", "span"],
  ALLOWED_ATTR: ["href", "title", "class", "start"],
  ALLOWED_URI_REGEXP: SAFE, ALLOW_DATA_ATTR: false, ALLOW_ARIA_ATTR: false, RETURN_DOM_FRAGMENT: true,
};
DOMPurify.addHook("afterSanitizeAttributes", node => {
  if (node.nodeName !== "A") return;
  node.setAttribute("target", "_blank");
  node.setAttribute("rel", "noopener noreferrer");
});

function clean(html) { return DOMPurify.sanitize(html, CLEAN); }

/** The text as it was written, for what is too wild to be set. */
function plain(source) {
  const fragment = document.createDocumentFragment();
  fragment.append(make("div", { class: "plain" }, source));
  return fragment;
}

function hostile(source) {
  if (/^[ \t]*(?:`{3}|~{3})/.test(source)) return false;
  if (source.length > BLOCK_CHARS) return true;
  if (/(?:>[ \t]*){30}|(?:[-*+][ \t]+){30}/.test(source)) return true;
  let marks = 0, cells = 0;
  for (let at = 0; at < source.length && marks <= MARKS; at++) {
    if ("[]*_`!<~".includes(source[at])) marks++;
    else if (source[at] === "|") cells++;
  }
  return marks > MARKS || cells > CELLS;
}

/** One run of blocks, sanitised, dressed. `closed`: nothing more will come, so code is coloured. */
function set(source, env, closed) {
  if (hostile(source)) return plain(source);
  const tokens = md.parse(source, env);
  if (tokens.some(token => token.level >= NESTING - 1)) return plain(source);
  const fragment = clean(md.renderer.render(tokens, md.options, env));
  dress(fragment, closed);
  return fragment;
}

function dress(fragment, closed) {
  for (const table of fragment.querySelectorAll("table")) {
    const wide = make("div", { class: "wide", tabindex: "0", role: "region", "aria-label": "Table" });
    table.replaceWith(wide);
    wide.append(table);
  }
  for (const pre of fragment.querySelectorAll("pre")) dressCode(pre, closed);
}

function dressCode(pre, closed) {
  const code = pre.querySelector("code") ?? pre;
  const language = /language-([\w+#.-]+)/.exec(code.className)?.[1] ?? "";
  code.removeAttribute("class");
  const button = make("button", { type: "button", onclick: event => copy(code.textContent, event.currentTarget) }, "Copy");
  const figure = make("figure", { class: "code", dir: "ltr" }, make("header", {}, make("span", {}, language || "Text"), button));
  pre.tabIndex = 0;
  pre.replaceWith(figure);
  figure.append(pre);
  if (closed && language) colour(code, language);
}

let highlighter = null;
const waiting = [];
/** Colours come when the block is complete and the page has nothing better to do. */
function colour(code, language) {
  waiting.push([code, language]);
  highlighter ??= import("../vendor/highlight-11.12.0.min.js").then(module => module.default);
  highlighter.then(hljs => (window.requestIdleCallback ?? setTimeout)(() => {
    for (const [element, name] of waiting.splice(0)) {
      const text = element.textContent;
      if (!hljs.getLanguage(name) || text.length > HIGHLIGHT_CHARS) continue;
      element.replaceChildren(clean(hljs.highlight(text, { language: name, ignoreIllegals: true }).value));
    }
  })).catch(() => { /* code without colours is code */ });
}

/** A text that arrives piece by piece. Blocks that are closed are never touched again. */
export class Stream {
  constructor(element, source = "", closed = false) {
    this.element = element;
    this.source = "";
    this.frozen = 0;          // up to here the source stands in the page for good
    this.open = [];           // nodes of what may still change
    this.env = {};
    this.wait = 0;
    this.tooSlow = false;
    element.classList.remove("source");
    element.replaceChildren();
    if (source) { this.source = source; if (!closed) this.render(); }
    if (closed) this.close();
  }

  append(delta) { this.source += delta; }

  /** Where the last block begins that later text may change, as an offset into `text`; 0 if none is closed. */
  closedUpTo(text) {
    if (/^ {0,3}(?:`{3}|~{3})/.test(text)) {
      // The commonest long block, and the costliest to parse over and over: code that is still being written.
      const fence = /^ {0,3}(`{3,}|~{3,})/.exec(text)[1];
      const end = new RegExp(`\\n {0,3}${fence[0] === "~" ? "~" : "`"}{${fence.length},}[ \\t]*\\n`).exec(text);
      return end ? end.index + end[0].length : 0;
    }
    if (!text.includes("\n\n") && text.length < 2_000) return 0;
    const lines = [0];
    for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) lines.push(at + 1);
    const starts = [];
    for (const token of blocks.parse(text, this.env)) if (token.level === 0 && token.map && token.nesting >= 0) starts.push(token.map[0]);
    // A block's kind is only certain once its first line is whole: "2" may become the next item of a list.
    while (starts.length && starts.at(-1) + 1 >= lines.length) starts.pop();
    return starts.length > 1 ? lines[starts.at(-1)] : 0;
  }

  render() {
    if (this.tooSlow) { this.appendPlain(); return; }
    const begin = performance.now();
    let rest = this.source.slice(this.frozen);
    if (!hostile(rest)) {
      for (let upTo = this.closedUpTo(rest); upTo; upTo = this.closedUpTo(rest)) {
        this.swap(set(rest.slice(0, upTo), this.env, true));
        this.open = [];
        this.frozen += upTo;
        rest = rest.slice(upTo);
      }
    }
    if (!this.growCode(rest)) this.swap(set(rest, this.env, false));
    const took = performance.now() - begin;
    if (took > SLOW_MS) this.tooSlow = true;
    this.wait = begin + took * 4;       // never more than a fifth of the time goes into setting
  }

  /** Replace the open nodes. */
  swap(fragment) {
    const nodes = [...fragment.childNodes];
    const first = this.open[0];
    if (first?.parentNode === this.element) this.element.insertBefore(fragment, first); else this.element.append(fragment);
    for (const node of this.open) node.remove();
    this.open = nodes;
    this.code = null;
    const figure = nodes.length === 1 && nodes[0].nodeName === "FIGURE" ? nodes[0] : nodes.find(node => node.nodeName === "FIGURE");
    if (figure && nodes.filter(node => node.nodeType === 1).length === 1) {
      const code = figure.querySelector("code");
      this.code = { element: code, source: this.source.slice(this.frozen), text: code?.firstChild };
    }
  }

  /** Code that is still open only grows: its text node takes what is new. */
  growCode(rest) {
    const code = this.code;
    if (!code?.text || code.text.nodeType !== 3 || !rest.startsWith(code.source)) return false;
    const fence = /^ {0,3}(`{3,}|~{3,})[^\n]*\n/.exec(code.source);
    if (!fence) return false;
    const added = rest.slice(code.source.length);
    // The last line is looked at again, because it may be the closing fence.
    const tail = rest.slice(rest.lastIndexOf("\n", code.source.length - 1));
    if (/^ {0,3}[`~]/m.test(tail)) return false;
    code.text.appendData(added);
    code.source = rest;
    return true;
  }

  appendPlain() {
    const rest = this.source.slice(this.frozen);
    if (this.plainNode?.isConnected) { this.plainNode.firstChild.data = rest; return; }
    this.swap(plain(rest));
    this.plainNode = this.open[0];
  }

  /** The text is complete. Links whose targets came later make one full pass necessary. */
  close() {
    const late = this.frozen && this.env.references && Object.keys(this.env.references).length;
    if (late && !this.tooSlow) {
      this.element.replaceChildren();
      this.open = [];
      this.frozen = 0;
    }
    const rest = this.source.slice(this.frozen);
    if (this.tooSlow) this.appendPlain();
    else if (this.frozen === 0 && rest.length > CHUNK_CHARS) this.closeLong();
    else this.swap(set(rest, this.env, true));
    this.open = [];
  }

  /** A long text set at once: block by block, so that one wild block does not make all of it plain. */
  closeLong() {
    const text = this.source;
    this.element.replaceChildren();
    for (let chunk = 0; chunk < text.length;) {
      // Cut at an empty line outside of code; markdown-it then sees pieces of a bearable size.
      let end = chunk, inCode = "";
      const limit = chunk + CHUNK_CHARS;
      for (;;) {
        const next = text.indexOf("\n", end);
        if (next === -1) { end = text.length; break; }
        const line = text.slice(end, next);
        const fence = /^ {0,3}(`{3,}|~{3,})/.exec(line)?.[1];
        if (fence && !inCode) inCode = fence;
        else if (fence && fence[0] === inCode[0] && fence.length >= inCode.length) inCode = "";
        end = next + 1;
        if (end > limit && !inCode && !line.trim() && /^\S/.test(text.slice(end, end + 1))) break;
      }
      this.open = [];
      this.swap(set(text.slice(chunk, end), this.env, true));
      chunk = end;
    }
  }
}

const HOLDS_TEXT = new Set(["P", "LI", "UL", "OL", "BLOCKQUOTE", "FIGURE", "PRE", "CODE", "DIV", "TABLE", "TBODY", "TR", "TD",
  "H1", "H2", "H3", "H4", "H5", "H6"]);

/** Where the caret stands: at the end of the deepest last piece of text. */
export function caretPlace(element) {
  let place = element;
  for (;;) {
    const last = place.lastElementChild;
    if (!last || last.classList.contains("caret") || !HOLDS_TEXT.has(last.nodeName)) return place;
    if (last.nodeName === "CODE" && place.nodeName !== "PRE") return place;
    place = last;
  }
}
