// Sentences above the composer: one at a time, the gravest first.
import { $, $$, icon, make } from "./page.js";

const ORDER = ["gone", "down", "refused", "stop", "deleted"];
const known = new Map();
for (const element of $$("#notices > .notice")) known.set(element.dataset.kind, element);

/** parts: text and elements of the sentence; buttons: elements at its end. */
export function notice(kind, parts, { grave = false, buttons = [], dismiss = true } = {}) {
  const close = { class: "icon", type: "button", "aria-label": "Dismiss", onclick: () => unnotice(kind) };
  const element = make("div", { class: grave ? "notice down" : "notice", role: grave ? "alert" : "status", "data-kind": kind },
    make("p", {}, ...parts), ...buttons, dismiss ? make("button", close, icon("close")) : null);
  known.set(kind, element);
  show();
  return element;
}

export function unnotice(kind) { if (known.delete(kind)) show(); }
export const hasNotice = kind => known.has(kind);

export const linkButton = (label, onclick) => make("button", { class: "link", type: "button", onclick }, label);
export const plainButton = (label, onclick) => make("button", { class: "button", type: "button", onclick }, label);

function show() {
  const first = ORDER.map(kind => known.get(kind)).find(Boolean);
  const place = $("#notices");
  if (place.firstElementChild !== first || place.childElementCount > 1) place.replaceChildren(...(first ? [first] : []));
}
