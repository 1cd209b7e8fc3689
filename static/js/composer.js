// Writing and sending. A message is kept until the server has acknowledged it by its client_id.
import { $, page, store, tell, hear, tidy, uuid, url } from "./page.js";
import { optimistic, withdraw, byClient, runningTurn } from "./turns.js";
import { notice, unnotice } from "./notices.js";

const form = $("#composer"), box = $("#message"), send = $("#send"), stop = $("#stop");
const coarse = matchMedia("(pointer: coarse)");
const outbox = new Map();       // client_id → {frame, text}: sent or to be sent, not acknowledged
let out = () => false;          // sends a frame; false while the socket is down
const key = () => `draft.${page.isNew ? "new" : page.conversation}`;

export function start(sendFrame) {
  out = sendFrame;
  mergeDrafts();
  recover();
  show();
  if (!coarse.matches && !document.querySelector(":popover-open")) box.focus({ preventScroll: true });
}

// ---------------------------------------------------------------- the draft

function mergeDrafts() {
  const server = box.defaultValue.trim(), local = store.get(key()) ?? "";
  const seen = store.get(`seen.${page.conversation}`);
  // What the server returned is added once; after that the reader's own copy counts.
  box.value = server && server !== seen && !local.includes(server) ? [local, server].filter(Boolean).join("\n\n") : local;
  if (server) store.set(`seen.${page.conversation}`, server);
  keep();
}

function keep() { store.set(key(), box.value); }

function addText(text) {
  box.value = [box.value.trimEnd(), text].filter(Boolean).join("\n\n");
  keep();
  show();
  box.focus({ preventScroll: true });
  box.setSelectionRange(box.value.length, box.value.length);
}

// ---------------------------------------------------------------- sending

function tooBig(text, frame) {
  const chars = text.length > page.maxChars ? [...text].length : 0;
  const bytes = new TextEncoder().encode(JSON.stringify(frame)).length;
  const number = amount => Math.ceil(amount).toLocaleString("en");
  if (chars > page.maxChars)
    return `This message has ${number(chars)} characters; ${number(page.maxChars)} can be sent at once.`;
  if (bytes > page.maxFrame)
    return `This message is ${number(bytes / 1024)} KB; ${number(page.maxFrame / 1024)} KB can be sent at once.`;
  return "";
}

function sendMessage() {
  const text = tidy(box.value);
  if (!text.trim()) return;
  const client = uuid();
  const frame = {
    type: "response.create", input: text, "stet:client_id": client, "stet:conversation": page.conversation,
    provider: form.elements.provider.value, model: form.elements.model.value,
  };
  const sentence = tooBig(text, frame);
  if (sentence) { notice("refused", [sentence], { grave: true }); return; }
  unnotice("refused");
  unnotice("deleted");
  outbox.set(client, { frame, text });
  remember();
  box.value = "";
  keep();
  optimistic(client, text, $("#model-short").textContent);
  out(frame);
  show();
}

/** Once the socket is up again: what was not acknowledged is sent anew. The same client_id is the same turn. */
export function resend() { for (const { frame } of outbox.values()) out(frame); }

function remember() {
  try { sessionStorage.setItem("stet.outbox", JSON.stringify([...outbox.values()])); } catch { /* lost with the tab, then */ }
}

/** Messages that were on their way when the page was reloaded. */
function recover() {
  let kept = [];
  try { kept = JSON.parse(sessionStorage.getItem("stet.outbox") ?? "[]"); } catch { /* none */ }
  for (const one of kept) {
    const client = one.frame["stet:client_id"], there = one.frame["stet:conversation"];
    if (byClient(client)) continue;
    if (there !== page.conversation && !page.isNew) continue;
    outbox.set(client, one);
    optimistic(client, one.text, $("#model-short").textContent);
  }
  remember();
}

export function onAdded(event) {
  const mine = outbox.get(event["stet:client_id"]);
  if (!mine) return;
  outbox.delete(event["stet:client_id"]);
  remember();
  const id = event["stet:conversation"];
  if (id !== page.conversation) { location.replace(url.conversation(id)); return; }
  if (page.isNew) {
    page.isNew = false;
    store.set("draft.new", "");
    keep();
    history.replaceState(null, "", url.conversation());
    tell("known", id);
  }
}

const SENTENCES = {
  empty_message: "There is nothing in it but white space.",
  message_too_long: "This message is too long.",
  frame_too_large: "This message is too large to send at once.",
  invalid_text: "This message holds characters that cannot be stored.",
  unknown_model: "This model cannot be used here any more. Choose another one.",
  rate_limited: "That were many messages in a minute. Wait a moment, then send it again.",
  server_error: "A fault of ours; nothing was sent. Try again.",
};

export function onError(event) {
  const client = event["stet:client_id"], { code, message } = event.error ?? {};
  if (code === "shutting_down") return;          // stays in the outbox; the next connection sends it
  if (code === "turn_ended") return;
  const mine = client && outbox.get(client);
  if (mine) {
    outbox.delete(client);
    remember();
    withdraw(client);
    box.value = [mine.text, box.value].filter(Boolean).join("\n\n");
    keep();
    show();
  }
  if (!mine && code !== "server_error") return;
  notice("refused", [SENTENCES[code] ?? message ?? "The server refused this message."], { grave: true });
}

export function onReturned(event) {
  if (event["stet:conversation"] === page.conversation) takeBack(event.text);
}

function takeBack(text) {
  store.set(`seen.${page.conversation}`, text.trim());
  if (!box.value.includes(text)) addText(text);
}
hear("returned", takeBack);

// ---------------------------------------------------------------- the box

function show() {
  const runs = Boolean(runningTurn()), text = Boolean(box.value.trim());
  // Under a finger Enter breaks the line, so a written message needs its button even while an answer runs.
  const asStop = runs && !(text && coarse.matches);
  if (stop.hidden === asStop) { stop.hidden = !asStop; send.hidden = asStop; }
  send.disabled = !text;
  if (!CSS.supports("field-sizing", "content")) {
    box.style.blockSize = "auto";
    box.style.blockSize = `${box.scrollHeight}px`;
  }
}

box.addEventListener("input", () => { keep(); show(); });
box.addEventListener("keydown", event => {
  if (event.key !== "Enter" || event.isComposing || event.keyCode === 229) return;
  const asked = event.ctrlKey || event.metaKey;
  if (!asked && (event.shiftKey || event.altKey || coarse.matches)) return;
  event.preventDefault();
  sendMessage();
});
form.addEventListener("submit", event => {
  if (event.submitter && event.submitter.form !== form) return;
  event.preventDefault();
  sendMessage();
});
stop.addEventListener("click", () => { tell("cancel", runningTurn()); box.focus({ preventScroll: true }); });
document.addEventListener("click", event => {
  const button = event.target.closest("[data-do=try]");
  if (button) { box.value = button.textContent.trim(); keep(); show(); box.focus(); }
});
hear("running", show);
hear("model", ({ label, short, provider, model }) => {
  form.elements.provider.value = provider;
  form.elements.model.value = model;
  $("#model-name").textContent = label;
  $("#model-short").textContent = $("#model-brief").textContent = short;
  $("#model-short").parentElement.setAttribute("aria-label", `Model: ${label}. Choose another`);
  box.placeholder = `Write to ${label}`;
});
