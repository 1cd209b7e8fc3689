// The cost line under an answer while it runs; when the turn has ended the server's own takes its place (_foot.html).
import { $, $$, ended, make } from "./page.js";
import { clock, secondsSince } from "./waits.js";

const figure = (text, kind = "") => (text ? make("span", { class: `n ${kind}`.trim() }, text) : null);
const spaced = figures => figures.filter(Boolean).flatMap((one, at) => (at ? [" ", one] : [one]));

/** Rule and line exist from the first word, so that nothing jumps when the numbers come. */
export function soFar(turn) {
  const foot = $(".tail .foot", turn.element);
  if (!foot) return;
  foot.hidden = false;
  if ($(".paid", foot)?.textContent) return;
  const [first, second] = $$(".cost .half", foot);
  const since = turn.begun || Date.now();
  let last = "";
  const time = clock(() => { if (!ended(turn.state)) last = secondsSince(since); return last; }, "n seconds");
  first.replaceChildren(figure("cost follows", "paid quiet"));
  second.replaceChildren(time);
}

export function cost(turn, sums) {
  const foot = $(".tail .foot", turn.element);
  if (!sums || !foot) return;
  foot.hidden = false;
  const [first, second] = $$(".cost .half", foot);
  const running = sums.final ? null : $(".seconds", second);
  first.replaceChildren(...spaced([
    figure(sums.simulated && "simulated", "quiet"),
    figure(`${sums.paid}${sums.final ? "" : " so far"}`, "paid"),
    figure(sums.saved, sums.lost ? "lost" : sums.saved === "nothing saved" ? "" : "saved"),
  ]));
  second.replaceChildren(...spaced([figure(sums.tokens), running ?? figure(sums.seconds, "seconds")]));
  rule($(".stet", foot), sums.read_share);
}

/** The stet rule, as _rule.html draws it: dots for what was read, a line for what was paid anew. */
function rule(svg, share) {
  const percent = Math.round((share ?? 0) * 100);
  svg.replaceChildren(...(percent < 1 ? [line("0%", "100%")]
    : percent >= 99 ? [line("2", "99%", "kept")]
    : [line("2", `${percent}%`, "kept"), line(`${percent + 1}%`, "100%")]));
}

function line(from, to, kept = "") {
  const element = document.createElementNS("http://www.w3.org/2000/svg", "line");
  for (const [name, value] of Object.entries({ x1: from, x2: to, y1: "2.5", y2: "2.5" })) element.setAttribute(name, value);
  if (kept) element.setAttribute("class", kept);
  return element;
}
