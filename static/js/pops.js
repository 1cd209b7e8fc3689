// What floats: the models, the sums, the menus. Opening and light dismissal are the browser's own.
import { $, $$, page, url, fragment, post, tell } from "./page.js";
import { notice, unnotice } from "./notices.js";

// ---------------------------------------------------------------- the model of the next message

const picks = () => $$("#models .pick");

$("#choose-model").addEventListener("submit", event => event.preventDefault());
$("#models").addEventListener("click", event => {
  const pick = event.target.closest(".pick");
  if (pick) choose(pick);
});

async function choose(pick) {
  const before = picks().find(one => one.getAttribute("aria-checked") === "true");
  $("#models").hidePopover();
  if (pick === before) return;
  mark(pick);
  if (page.isNew) return;          // the first message will carry it
  try { await post(url.of("model"), { choice: pick.value }); unnotice("refused"); } catch (error) {
    if (before) mark(before);
    notice("refused", [error.message], { grave: true });
  }
}

function mark(pick) {
  for (const one of picks()) one.setAttribute("aria-checked", String(one === pick));
  const { label, shortLabel, provider, model } = pick.dataset;
  tell("model", { label, short: shortLabel || label.replace(/^Claude /, ""), provider, model });
}

// ---------------------------------------------------------------- the sums, fetched when looked at

$("#sums").addEventListener("toggle", async event => {
  if (event.newState !== "open" || page.isNew) return;
  try {
    const fresh = await fragment(url.of("sums"));
    $("#sums-body").replaceWith(fresh.matches("#sums-body") ? fresh : $("#sums-body", fresh) ?? fresh);
  } catch (error) { $("#sums-body").textContent = error.message; }
});

// ---------------------------------------------------------------- arrow keys, and focus on opening

for (const pop of $$(".pop")) {
  pop.addEventListener("toggle", event => {
    if (event.newState !== "open") return;
    (pop.querySelector("[aria-checked=true]") ?? pop.querySelector("[role=menuitem], textarea"))?.focus();
  });
  pop.addEventListener("keydown", event => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const items = $$("[role=radio], [role=menuitem], summary", pop).filter(item => item.checkVisibility());
    if (!items.length || !(step || event.key === "Home" || event.key === "End")) return;
    event.preventDefault();
    const at = items.indexOf(document.activeElement);
    const next = { Home: 0, End: items.length - 1 }[event.key] ?? (at + step + items.length) % items.length;
    items[next].focus();
  });
}
// A menu item that opens another popover closes its own menu; the browser keeps both where one does not contain the other.
$("#menu").addEventListener("click", event => { if (event.target.closest("[popovertarget]")) $("#menu").hidePopover(); });
