// What an answer does beside speaking, each folded to one line: thinking, and calls of tools.
import { $, icon, make } from "./page.js";
import { soFar } from "./foot.js";
import { clock, secondsSince, waiting } from "./waits.js";

const keyOf = index => `${index}:step`;

function step(turn, index, kind, iconName, verb) {
  const begun = Date.now();
  const label = make("span", { class: "label" }, `${verb}, `, clock(() => secondsSince(begun)));
  const body = make("div", { class: "body pre" });
  const details = make("details", { class: "step", "data-kind": kind }, make("summary", {}, icon(iconName), label), body);
  const part = { kind, element: make("div", { class: "steps" }, details), label, body, text: "", begun };
  turn.parts.set(keyOf(index), part);
  $(".answer", turn.element).append(part.element);
  waiting(turn.element);
  soFar(turn);
  return part;
}

/** chapter: a summary comes in several, and a blank line stands between them. */
export function think(turn, index, delta, chapter) {
  const part = turn.parts.get(keyOf(index)) ?? step(turn, index, "reasoning", "thought", "Thinking");
  part.body ??= $(".body", part.element);
  const next = chapter !== undefined && part.chapter !== undefined && chapter !== part.chapter;
  if (next && part.text) delta = `\n\n${delta}`;
  part.chapter = chapter ?? part.chapter;
  part.text += delta;
  part.body.append(delta);
}

/** seconds: as the server counted them; undefined for this page's own clock, null where nobody knows. */
export function thought(part, seconds = (Date.now() - part.begun) / 1000) {
  const whole = Math.max(1, Math.round(seconds));
  part.label.replaceChildren(...(seconds === null ? ["Thought"] : ["Thought for ", make("span", { class: "n" }, `${whole} s`)]));
  part.begun = 0;
  if (part.text) return;
  const line = make("div", { class: "line" }, icon("thought"), part.label);
  part.element.replaceChildren(make("div", { class: "step" }, line));      // nothing to open
}

export function thinkingDone(turn, index, seconds) {
  const part = turn.parts.get(keyOf(index));
  if (part?.label && (part.begun || seconds !== undefined)) thought(part, seconds);
}

export function useTool(turn, index, item) {
  step(turn, index, "tool", "note", `Calling ${item.name}`);
  if (item.arguments) toolArguments(turn, index, item.arguments);
}

export function toolArguments(turn, index, delta) { turn.parts.get(keyOf(index))?.body?.append(delta); }

export function toolDone(turn, index, item) {
  const part = turn.parts.get(keyOf(index));
  if (!part?.label) return;
  part.label.textContent = item.name ?? "tool";
  if (item.arguments) part.body.textContent = item.arguments;
}
