// The window's title: the conversation's, with a dot while an answer waits to be seen.
import { $ } from "./page.js";

let title = $("#title").value, unseen = false;

function show() { document.title = `${unseen ? "• " : ""}${title ? `${title} · ` : ""}Stet`; }

export function setTitle(text) { title = text; show(); }
export function answered() { if (document.hidden) { unseen = true; show(); } }
document.addEventListener("visibilitychange", () => { if (!document.hidden && unseen) { unseen = false; show(); } });
