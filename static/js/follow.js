// Keeps the end in view while an answer runs, until the reader scrolls up by more than a line.
import { $, hear } from "./page.js";

const LINE = 28;
const scroll = $("#scroll"), button = $("#to-end");
let following = true, running = false, lastTop = 0, touched = 0;

const below = () => scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight;

export function toEnd({ anew = true } = {}) {
  if (anew) following = true;
  scroll.scrollTop = scroll.scrollHeight;
  lastTop = scroll.scrollTop;
  show();
}

/** After the content grew: stay at the end if the reader is there and not just moving. */
function stick() {
  if (running && following && performance.now() - touched > 250 && below() > 1) {
    scroll.scrollTop = scroll.scrollHeight;
    lastTop = scroll.scrollTop;
  }
  show();
}

function show() { button.hidden = following || !running || below() < LINE; }

scroll.addEventListener("scroll", () => {
  const top = scroll.scrollTop;
  if (below() <= LINE) following = true;
  else if (top < lastTop) following = false;   // growth alone never moves the top upwards
  lastTop = top;
  show();
}, { passive: true });

// A small movement must not be undone by the next frame of the answer.
for (const kind of ["wheel", "touchmove", "keydown", "pointerdown"])
  scroll.addEventListener(kind, event => { if (kind !== "wheel" || event.deltaY < 0) touched = performance.now(); }, { passive: true });

button.addEventListener("click", () => { toEnd(); $("#message").focus({ preventScroll: true }); });
hear("running", turn => { running = Boolean(turn); if (running) stick(); else show(); });

const watcher = new ResizeObserver(stick);
watcher.observe(scroll);
export const watchGrowth = element => watcher.observe(element);

/** Run a change of the page without moving what the reader looks at. */
export function still(change) {
  if (following && (running || below() <= LINE)) { change(); toEnd(); return; }
  const top = scroll.getBoundingClientRect().top;
  const seen = [...document.querySelectorAll("#transcript .turn")].find(turn => turn.getBoundingClientRect().bottom > top + 4);
  const id = seen?.id, at = seen?.getBoundingClientRect().top;
  change();
  const now = id && document.getElementById(id);
  if (now) scroll.scrollTop += now.getBoundingClientRect().top - at;
  lastTop = scroll.scrollTop;
}
