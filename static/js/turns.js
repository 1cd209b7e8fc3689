// Turns in the page: what the server wrote, what the socket adds, and their ends.
import { $, $$, page, url, ended, make, say, fragment, ready, localTimes, tell, hear } from "./page.js";
import { Stream, caretPlace } from "./markdown.js";
import { crc32 } from "./crc32.js";
import { still, toEnd, watchGrowth } from "./follow.js";
import { cost, soFar } from "./foot.js";
import { think, thinkingDone, thought, toolArguments, toolDone, useTool } from "./steps.js";
import { answered } from "./title.js";
import { speaker, waitForFirst, waitForRetry, waitInLine, waiting } from "./waits.js";

const ENDS = { "response.completed": "completed", "response.incomplete": "incomplete", "response.failed": "failed" };
const LONG_QUESTION = 400;

const turns = new Map();       // id → what the page knows of a turn
const early = new Map();       // frames of turns that are not in the page yet
const dirty = new Set();       // turns with text that is not set yet
let running = null;            // id of the running turn
let frame = 0;

const list = () => $("#transcript");
export const runningTurn = () => running;
const shown = () => $$("#transcript > .turn");

// ---------------------------------------------------------------- what the server wrote

export function adoptAll() {
  turns.clear();
  for (const element of $$(".turn[data-turn]", list())) adopt(element);
  watchGrowth(list());
  settleRunning();
}

function adopt(element) {
  const { turn: id, client, state, last } = element.dataset;
  const turn = { id, client, element, state, last: last === "" ? -1 : Number(last), parts: new Map(), begun: 0 };
  turns.set(id, turn);
  localTimes(element);
  adoptParts(turn);
  // A running turn is heard from its beginning, unless the server said up to where its text goes; until then
  // what the server wrote stands.
  if (!ended(state) && !turn.parts.size) turn.last = -1;
  turn.provisional = !ended(state) && turn.last < 0 && turn.parts.size > 0;
  if (state === "queued") waitTurn(turn);
  else if (state === "streaming" && !turn.parts.size) waitForFirst(turn);
  if (!ended(state)) turn.begun = begunAt(element);
  const missed = early.get(id);
  early.delete(id);
  if (missed) for (const event of missed) onTurn(event);
  return turn;
}

/** The server's hour, unless its clock and ours disagree too much to count from it. */
function begunAt(element) {
  const at = Date.parse($("time", element)?.dateTime), passed = Date.now() - at;
  return passed >= 0 && passed < 3_600_000 ? at : Date.now();
}

function adoptParts(turn) {
  turn.parts.clear();
  const done = ended(turn.state);
  for (const element of $(".answer", turn.element).children) {
    if (element.classList.contains("prose")) {
      const key = `${element.dataset.part}:0`;
      const source = element.textContent;
      turn.parts.set(key, { kind: "text", element, stream: new Stream(element, source, done) });
      element.setAttribute("aria-busy", String(!done));
    } else {
      const step = $(".step", element);
      const index = step?.dataset.part;
      turn.parts.set(index === undefined ? `server:${turn.parts.size}` : `${index}:step`,
        { kind: step?.dataset.kind, element, text: $(".body", element)?.textContent ?? "", fromServer: true });
    }
  }
  if (!done) placeCaret(turn);
}

/** The answer as the server sums it up: the parts of a message run on, a blank line stands between messages. */
export function answerText(turn) {
  const messages = new Map();
  for (const [key, part] of turn.parts) {
    if (part.kind !== "text") continue;
    const message = key.split(":")[0];
    messages.set(message, (messages.get(message) ?? "") + part.stream.source);
  }
  return [...messages.values()].filter(Boolean).join("\n\n");
}
export const turnOf = element => turns.get(element.closest(".turn")?.dataset.turn);
const questionOf = turn => $(".question", turn.element).textContent;
export const byClient = client => shown().find(element => element.dataset.client === client);

/** The whole transcript anew, where the page missed something. Opened details and the reader's place stay. */
let fetching = null, resumeAfter = false;
export function refetch({ resume = false } = {}) {
  resumeAfter ||= resume;
  fetching ??= fragment(url.of("transcript")).then(fresh => {
    const open = openDetails();
    const mine = shown().filter(element => !element.dataset.turn);     // sent, not acknowledged
    const clients = new Set($$(".turn", fresh).map(element => element.dataset.client));
    still(() => {
      // What is complete on both sides stays the very element it is: selection, details, highlighting.
      for (const element of $$(".turn", fresh)) {
        const here = turns.get(element.dataset.turn);
        if (!here || here.stale || here.state !== element.dataset.state || !sameBranch(here.element, element)) continue;
        if (ended(here.state) || here.last >= 0) element.replaceWith(here.element);
      }
      for (const element of mine) if (!clients.has(element.dataset.client)) fresh.append(element);
      list().replaceWith(fresh);
      const kept = new Map(turns);
      turns.clear();
      for (const element of $$(".turn[data-turn]", fresh)) {
        const before = kept.get(element.dataset.turn);
        if (before?.element === element) turns.set(before.id, before); else { ready(element); adopt(element); }
      }
      // What waited and is gone was taken back while this page was not told.
      for (const turn of kept.values()) if (turn.state === "queued" && !turns.has(turn.id)) tell("returned", questionOf(turn));
      watchGrowth(fresh);
      reopen(open);
      page.revision = Math.max(page.revision, Number(fresh.dataset.revision) || 0);
    });
    settleRunning();
    if (resumeAfter) resumeRunning();
  }).finally(() => { fetching = null; resumeAfter = false; });
  return fetching;
}

function sameBranch(one, other) { return ($(".branch", one)?.textContent ?? "") === ($(".branch", other)?.textContent ?? ""); }

const openDetails = () => $$("#transcript details[open]").map(element => {
  const turn = element.closest(".turn");
  return [turn.id, $$("details", turn).indexOf(element)];
});
function reopen(open) {
  for (const [id, at] of open) {
    const turn = document.getElementById(id), details = turn && $$("details", turn)[at];
    if (details) details.open = true;
  }
}

/** After (re)connecting: does the page show what the server has? */
export function compare({ head, running: runs, queued, revision }) {
  const ids = shown().map(element => element.dataset.turn).filter(Boolean);
  const expected = [runs, ...(queued ?? [])].map(one => one?.["stet:turn"] ?? one?.id ?? one).filter(Boolean);
  const waits = [...turns.values()].filter(turn => !ended(turn.state)).map(turn => turn.id);
  const lastEnded = [...ids].reverse().find(id => !expected.includes(id));
  const differs = expected.some(id => !ids.includes(id)) || waits.some(id => !expected.includes(id))
    || (head && !ids.includes(head)) || (head && !expected.includes(head) && lastEnded !== head)
    || [...turns.values()].some(turn => turn.stale);
  page.revision = revision ?? page.revision;
  if (differs) { refetch({ resume: true }).catch(() => { /* the next connection tries again */ }); return; }
  const now = turns.get(expected[0]);
  if (runs && now?.state === "queued") start(now);
  resumeRunning();
}

/** Only as the answer to stet:watching: then nothing of the turn is under way, and the count is exact. */
function resumeRunning() { for (const turn of turns.values()) if (turn.state === "streaming") tell("resume", turn); }

// ---------------------------------------------------------------- what this page adds

/** Show a message before the server has it. */
export function optimistic(client, text, label) {
  $("#first")?.remove();
  const element = $("#blank-turn").content.firstElementChild.cloneNode(true);
  element.dataset.client = client;
  fill(element, text, label, new Date());
  list().append(element);
  const waits = running || shown().some(one => one !== element && !ended(one.dataset.state));
  waiting(element, waits ? "Sending; next in line." : "Sending.");
  toEnd();
  return element;
}

function fill(element, text, label, at) {
  $(".question", element).textContent = text;
  $(".msg.user", element).classList.toggle("long", text.length > LONG_QUESTION || text.includes("```"));
  $(".msg.model .who b", element).textContent = label;
  $(".msg.model", element).setAttribute("aria-label", label);
  for (const time of $$("time", element)) time.dateTime = at.toISOString();
  localTimes(element);
}

export function withdraw(client) {
  const element = byClient(client);
  if (element && !element.dataset.turn) element.remove();
}

function onAdded(event) {
  const id = event["stet:turn"], client = event["stet:client_id"], state = event["stet:state"];
  if (event["stet:conversation"] !== page.conversation) return;
  const known = turns.get(id);
  if (known) { if (known.state === "queued" && state === "streaming") start(known); return; }
  const others = shown().filter(one => one.dataset.turn && one.dataset.client !== client);
  const parent = event["stet:parent"] ?? null;
  const before = others.at(-1)?.dataset.turn ?? null;
  const mine = byClient(client);
  if (parent !== before) {           // a branch: the page above changes as well
    mine?.remove();
    refetch().catch(() => {});
    return;
  }
  const element = mine ?? $("#blank-turn").content.firstElementChild.cloneNode(true);
  element.id = `turn-${id}`;
  element.dataset.turn = id;
  element.dataset.client = client;
  element.dataset.state = state;
  element.dataset.last = "-1";
  $(".tail", element).id = `tail-${id}`;
  fill(element, event.text, event.model_label, new Date(event.created_at));
  if (event.divider) element.prepend(make("div", { class: "mark" }, make("p", {}, event.divider)));
  $("#first")?.remove();
  // The order of the server holds: what is not acknowledged stands below.
  const unsent = shown().find(one => one !== element && !one.dataset.turn);
  if (unsent) list().insertBefore(element, unsent); else if (!mine) list().append(element);
  ready(element);
  const turn = adopt(element);
  if (ended(state)) finish(turn, state); else settleRunning();
}

function start(turn) {
  turn.state = turn.element.dataset.state = "streaming";
  turn.begun = Date.now();
  if (!turn.parts.size) waitForFirst(turn);
  settleRunning();
}

function settleRunning() {
  const now = [...turns.values()].find(turn => turn.state === "streaming")?.id ?? null;
  if (now !== running) {
    running = now;
    if (now) say(`${speaker(turns.get(now))} is answering.`);
  }
  tell("running", running);
}

/** A message that nothing stands before is about to run: no word of a line unless it lasts. */
function waitTurn(turn) {
  if ([...turns.values()].some(other => other !== turn && !ended(other.state))) { waitInLine(turn); return; }
  waitForFirst(turn);
  setTimeout(() => { if (turn.state === "queued" && turn.element.isConnected) waitInLine(turn); }, 2_000);
}

// ---------------------------------------------------------------- the events of a turn

export function onTurn(event) {
  const id = event["stet:turn"];
  if (event.type === "stet:turn.added") { onAdded(event); return; }
  const turn = turns.get(id);
  if (!turn) {
    const kept = early.get(id) ?? [];
    if (kept.length < 5_000) kept.push(event);
    early.set(id, kept);
    if (early.size > 20) early.delete(early.keys().next().value);
    return;
  }
  if (event.type === "stet:queue.returned") {
    turn.element.remove();
    turns.delete(id);
    settleRunning();
    return;
  }
  if (event.type === "stet:snapshot") { snapshot(turn, event); return; }
  if (event.sequence_number !== undefined) {
    if (event.sequence_number <= turn.last) return;
    turn.last = event.sequence_number;
  }
  if (ended(turn.state) && !(event.type in ENDS)) return;
  if (turn.provisional) startOver(turn);
  if (turn.state === "queued") start(turn);
  take(turn, event);
}

function startOver(turn) {
  turn.provisional = false;
  turn.parts.clear();
  $(".answer", turn.element).replaceChildren();
}

function take(turn, event) {
  const text = `${event.output_index}:${event.content_index ?? 0}`;
  switch (event.type) {
    case "response.output_text.delta":
    case "response.refusal.delta":
      textPart(turn, text).stream.append(event.delta);
      dirty.add(turn);
      schedule();
      break;
    case "response.output_text.done":
    case "response.refusal.done": {
      // A gap is impossible, but the complete text is at hand to make sure.
      const part = textPart(turn, text), whole = event.text ?? event.refusal;
      if (whole !== undefined && part.stream.source !== whole) { part.stream = new Stream(part.element, whole); }
      dirty.add(turn);
      schedule();
      break;
    }
    case "response.reasoning_summary_text.delta":
    case "response.reasoning_text.delta":
      think(turn, event.output_index, event.delta, event.summary_index ?? event.content_index);
      break;
    case "response.output_item.added":
      if (event.item?.type === "reasoning") think(turn, event.output_index, "");
      else if (event.item?.type === "function_call") useTool(turn, event.output_index, event.item);
      break;
    case "response.output_item.done":
      if (event.item?.type === "reasoning") thinkingDone(turn, event.output_index, event["stet:seconds"]);
      else if (event.item?.type === "function_call") toolDone(turn, event.output_index, event.item);
      break;
    case "response.function_call_arguments.delta":
      toolArguments(turn, event.output_index, event.delta);
      break;
    case "stet:retrying": waitForRetry(turn, event); break;
    case "stet:turn.cost": cost(turn, event.cost); break;
    default:
      if (event.type in ENDS) {
        const state = event.response?.incomplete_details?.reason === "stet:cancelled" ? "cancelled"
          : event.response?.error?.code === "stet:interrupted" ? "interrupted" : ENDS[event.type];
        finish(turn, state, event);
      }
  }
}

function textPart(turn, key) {
  let part = turn.parts.get(key);
  if (part?.kind === "text") return part;
  for (const other of turn.parts.values()) if (other.kind === "reasoning" && other.begun) thought(other);
  const element = make("div", { class: "prose", dir: "auto", "aria-busy": "true", "data-part": key });
  part = { kind: "text", element, stream: new Stream(element) };
  turn.parts.set(key, part);
  $(".answer", turn.element).append(element);
  waiting(turn.element);
  soFar(turn);
  return part;
}

/** At most once a frame, and for heavy blocks less often: set what has arrived. */
function schedule() { frame ||= requestAnimationFrame(render); }

function render() {
  frame = 0;
  const now = performance.now();
  let later = false;
  for (const turn of dirty) {
    let all = true;
    for (const part of turn.parts.values()) {
      if (part.kind !== "text" || part.length === part.stream.source.length) continue;
      if (part.stream.wait > now) { all = false; continue; }
      part.length = part.stream.source.length;
      part.stream.render();
    }
    if (all) dirty.delete(turn); else later = true;
    placeCaret(turn);
  }
  if (later) schedule();
}

const caret = make("span", { class: "caret", "aria-hidden": "true" });
function placeCaret(turn) {
  const last = [...turn.parts.values()].at(-1);
  if (last?.kind !== "text") { if (turn.element.contains(caret)) caret.remove(); return; }
  const place = caretPlace(last.element);
  // Inside of open code the text node must stay the only child of <code>.
  if (place.nodeName === "CODE") {
    if (caret.parentNode !== place.parentNode) place.after(caret);
  } else if (caret.parentNode !== place || place.lastChild !== caret) place.append(caret);
}

// ---------------------------------------------------------------- the end

async function finish(turn, state, event) {
  const first = !ended(turn.state);
  turn.state = turn.element.dataset.state = state;
  dirty.delete(turn);
  still(() => {
    for (const part of turn.parts.values()) {
      if (part.kind === "text") {
        part.stream.close();
        part.element.setAttribute("aria-busy", "false");
      } else if (part.begun && part.kind === "reasoning") thought(part);
    }
  });
  if (turn.element.contains(caret)) caret.remove();
  waiting(turn.element);
  settleRunning();
  const theirs = event?.["stet:text_crc32"];
  const differs = (theirs && theirs !== crc32(answerText(turn))) || (!event && !turn.parts.size);
  try {
    await (differs ? replaceTurn(turn) : replaceTail(turn));
    turn.stale = false;
  } catch { turn.stale = true; }
  if (first && event) announce(turn, state);
}

async function replaceTail(turn) {
  const fresh = await fragment(url.turn(turn.id, "tail"));
  const old = $(".tail", turn.element);
  const open = $$("details", old).map(one => one.open);
  const focused = old.contains(document.activeElement);
  still(() => old.replaceWith(fresh));
  ready(fresh);
  const cost = $("details.cost", fresh);
  if (cost && $$("details.cost", old)[0]?.open && open.length) cost.open = true;
  if (focused) $("summary, button", fresh)?.focus({ preventScroll: true });
}

async function replaceTurn(turn) {
  const fresh = await fragment(url.turn(turn.id));
  const open = openDetails();
  still(() => {
    const old = turn.element;
    old.replaceWith(fresh);
    ready(fresh);
    adopt(fresh);
    reopen(open);
  });
  settleRunning();
}

function snapshot(turn, event) {
  turn.last = event.sequence_number ?? turn.last;
  turn.provisional = false;
  const state = event["stet:state"] ?? turn.state;
  const answer = $(".answer", turn.element);
  const open = openDetails();
  still(() => {
    answer.replaceChildren();
    turn.parts.clear();
    turn.state = turn.element.dataset.state = ended(state) ? "streaming" : state;
    for (const [index, item] of (event.response?.output ?? []).entries()) showItem(turn, index, item, item.status === "completed");
    reopen(open);
  });
  if (state === "queued") waitTurn(turn);
  else if (!turn.parts.size && !ended(state)) waitForFirst(turn);
  if (ended(state)) finish(turn, state, event); else { settleRunning(); dirty.add(turn); schedule(); }
}

function showItem(turn, index, item, done) {
  if (item.type === "message") {
    for (const [at, content] of (item.content ?? []).entries())
      textPart(turn, `${index}:${at}`).stream.append(content.text ?? content.refusal ?? "");
  } else if (item.type === "reasoning") {
    const texts = [...(item.summary ?? []), ...(item.content ?? [])].map(part => part.text ?? "").filter(Boolean);
    think(turn, index, texts.join("\n\n"));
    if (done) thinkingDone(turn, index, null);
  } else if (item.type === "function_call") {
    useTool(turn, index, item);
    if (done) toolDone(turn, index, item);
  }
}

function announce(turn, state) {
  answered();
  const words = answerText(turn).split(/\s+/).filter(Boolean).length;
  const end = $(".end > p", turn.element)?.textContent;
  const price = $(".cost .run", turn.element)?.innerText.replace(/\s+/g, " ").trim();
  say(state === "completed" ? `${speaker(turn)} finished: ${words} words. ${price ?? ""}` : end ?? `${speaker(turn)} ended early.`);
}

hear("forget", client => withdraw(client));
