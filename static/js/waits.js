// The line of an answer that has not begun: why it waits, and for how long. Waits are counted, because a spinner with
// no end says nothing.
import { $, $$, make, say, tell } from "./page.js";

const clocks = new Map();       // element of a count → () => its text

setInterval(() => {
  for (const [element, text] of clocks) {
    if (!element.isConnected) { clocks.delete(element); continue; }
    const now = text();
    if (element.textContent !== now) element.textContent = now;
  }
}, 250);

export const secondsSince = time => `${Math.max(0, Math.floor((Date.now() - time) / 1000))} s`;
const secondsUntil = time => `${Math.max(0, Math.ceil((time - Date.now()) / 1000))} s`;

/** A count that keeps itself up to date. */
export function clock(text, classes = "n") {
  const count = make("span", { class: classes }, text());
  clocks.set(count, text);
  return count;
}

/** Put words into a turn's line of waiting; none hide it. */
export function waiting(element, ...words) {
  const line = $(".said > .waiting", element);
  line.hidden = !words.length;
  $(".label", line).replaceChildren(...words);
}

/** Who answers, as the margin says it. */
export const speaker = turn => $(".msg.model .who b", turn.element).textContent || "The model";

function providerOf(name) {
  const picks = $$("#models .pick").map(pick => pick.dataset);
  return picks.find(({ label, shortLabel }) => name === label || name === shortLabel)?.providerLabel ?? name;
}

export function waitInLine(turn) {
  const cancel = make("button", { class: "link", type: "button", onclick: () => tell("cancel", turn.id) }, "Cancel");
  waiting(turn.element, "Next in line. You can take it back: ", cancel);
}

export function waitForFirst(turn) {
  const since = Date.now();
  waiting(turn.element, `Waiting for ${providerOf(speaker(turn))}, `, clock(() => secondsSince(since)));
}

/** A connection that broke may have been billed, so nothing is said of it. */
const RETRIES = {
  overloaded: "{provider} is overloaded. Nothing was billed.",
  rate_limited: "{provider} asks for fewer requests just now. Nothing was billed.",
  server_error: "{provider} failed inside. Nothing was billed.",
  other: "{provider} did not answer.",
};

export function waitForRetry(turn, { wait_seconds: seconds = 0, error }) {
  const until = Date.now() + seconds * 1000;
  const reason = (RETRIES[error?.code] ?? RETRIES.other).replace("{provider}", providerOf(speaker(turn)));
  waiting(turn.element, `${reason} Trying again in `, clock(() => secondsUntil(until)), ".");
  say(`${reason} Trying again.`);
  setTimeout(() => { if (turn.state === "streaming" && !turn.parts.size) waitForFirst(turn); }, seconds * 1000 + 500);
}
