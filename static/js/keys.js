// Keys of the whole page. Esc closes the topmost; last of all it asks to stop.
import { $, url, tell } from "./page.js";
import { drawer, drawerOpen } from "./sidebar.js";
import { runningTurn } from "./turns.js";
import { hasNotice, notice, plainButton, unnotice } from "./notices.js";

document.addEventListener("keydown", event => {
  if (event.ctrlKey && event.shiftKey && event.key.toLowerCase() === "o") {
    event.preventDefault();
    location.assign(url.home);
    return;
  }
  if (event.key !== "Escape" || event.defaultPrevented || event.isComposing) return;
  if ($(":popover-open")) return;                    // the browser closes it
  if (drawerOpen()) { drawer(false); return; }
  if (hasNotice("stop")) { keepOn(); return; }
  const turn = runningTurn();
  if (!turn) return;
  const yes = plainButton("Stop it", () => { tell("cancel", turn); keepOn(); });
  notice("stop", ["Stop this answer? What has arrived is kept."], { buttons: [yes, plainButton("Let it go on", keepOn)], dismiss: false });
  yes.focus();
});

export function keepOn() {
  const focused = $("#notices").contains(document.activeElement);
  unnotice("stop");
  if (focused) $("#message").focus({ preventScroll: true });
}
