// Copying, also where the page is served over plain http and navigator.clipboard is missing.
import { make, say, icon } from "./page.js";

export async function copy(text, button) {
  let done = false;
  try { await navigator.clipboard.writeText(text); done = true; } catch { done = byHand(text); }
  say(done ? "Copied." : "The browser did not allow copying.");
  if (!done || !button || button.dataset.copied) return;
  button.dataset.copied = "yes";
  const before = [...button.childNodes];
  button.replaceChildren(button.classList.contains("icon") ? icon("check") : "Copied");
  setTimeout(() => { button.replaceChildren(...before); delete button.dataset.copied; }, 1600);
}

function byHand(text) {
  const area = make("textarea", { class: "sr", "aria-hidden": "true" });
  area.value = text;
  const focused = document.activeElement;
  document.body.append(area);
  area.select();
  let done = false;
  try { done = document.execCommand("copy"); } catch { /* done stays false */ }
  area.remove();
  focused?.focus({ preventScroll: true });
  return done;
}
