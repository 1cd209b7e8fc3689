// The list of conversations: its state, its menus, and the drawer on narrow windows.
import { $, $$, page, url, store, fragment, post, make, hear } from "./page.js";
import { notice, linkButton, unnotice } from "./notices.js";
import { setTitle } from "./title.js";
import { label as themeLabel } from "./theme.js";

const root = document.documentElement, narrow = matchMedia("(max-width: 759px)");
const openers = () => $$("[data-do=sidebar][aria-expanded]");
const menuRow = { id: "", title: "" };

// ---------------------------------------------------------------- shown or not

export const drawerOpen = () => narrow.matches && root.dataset.sidebar === "open";

export function toggle() {
  if (narrow.matches) { drawer(root.dataset.sidebar !== "open"); return; }
  const close = root.dataset.sidebar !== "closed";
  if (close) root.dataset.sidebar = "closed"; else delete root.dataset.sidebar;
  store.set("sidebar", close ? "closed" : "");
  label();
  (close ? $(".show-sidebar") : $(".sidebar [data-do=sidebar]")).focus();
}

export function drawer(open) {
  if (open) root.dataset.sidebar = "open"; else delete root.dataset.sidebar;
  $("#talk").inert = open;
  label();
  (open ? $(".sidebar a") : $(".show-sidebar"))?.focus();
}

function label() {
  const shown = narrow.matches ? root.dataset.sidebar === "open" : root.dataset.sidebar !== "closed";
  for (const button of openers()) button.setAttribute("aria-expanded", String(shown));
}

narrow.addEventListener("change", () => {
  $("#talk").inert = false;
  if (!narrow.matches && store.get("sidebar") === "closed") root.dataset.sidebar = "closed"; else delete root.dataset.sidebar;
  label();
});
label();

// ---------------------------------------------------------------- news of conversations

let fetching = 0;
export function refetch() {
  clearTimeout(fetching);
  fetching = setTimeout(async () => {
    try {
      const fresh = await fragment(url.sidebar());
      const top = $("#list").scrollTop;
      if ($("#list input")) { refetch(); return; }          // somebody is renaming there
      if ($("#row-menu:popover-open, #account-menu:popover-open")) { refetch(); return; }
      $("#aside").replaceWith(fresh);
      $("#list").scrollTop = top;
      label();
      themeLabel();
    } catch { /* the next news brings it */ }
  }, 150);
}

export function onConversation(event) {
  const id = event["stet:conversation"], row = document.getElementById(`row-${id}`), here = id === page.conversation;
  if (event.deleted) { if (row) { row.remove(); refetch(); } return; }
  if (!row) { refetch(); return; }
  const title = event.title || "New conversation", name = $(".name", row);
  if (name && name.textContent !== title) {
    name.textContent = title;
    $(".icon", row).setAttribute("aria-label", `Options for ${title}`);
  }
  const unread = Boolean(event.unread) && !(here && !document.hidden);
  row.classList.toggle("unread", unread);
  const link = $("a", row);
  if (!link) return;                                  // it is being renamed
  const ran = $(".dot.running", link);
  $(".dot", link)?.remove();
  $(".sr", link)?.remove();
  if (event.running) link.prepend(make("span", { class: "dot running" }), make("span", { class: "sr" }, "answer running"));
  else if (unread) link.prepend(make("span", { class: "dot unread" }), make("span", { class: "sr" }, "unread answer"));
  // A new answer moves a conversation to the top of today.
  if (event.running ? row !== $("#list .row") : ran) refetch();   // and what it cost is a sum below the list
}

hear("known", () => refetch());

// ---------------------------------------------------------------- header: title and total

const title = $("#title");
let saved = title.value;

export function onHere(event) {
  if (event.title !== undefined && event.title !== saved) {
    saved = event.title;
    if (document.activeElement !== title) title.value = saved;
    setTitle(saved);
  }
  if (event.total) showTotal(event.total);
}

function showTotal(total) {
  const button = $("#total"), run = $(".run", button);
  if (typeof total === "string") {
    const [paid, ...rest] = total.split(" · ");
    total = { paid, saved: rest.join(" · "), text: total, lost: total.includes("−") };
  }
  if (!total.paid) return;
  const children = [];
  if (total.simulated || total.paid.includes("simulated")) children.push(make("span", { class: "n quiet" }, "simulated"), " ");
  children.push(make("b", { class: "n" }, total.paid.replace(/^simulated /, "")));
  if (total.saved) children.push(" ", make("span", { class: `n ${total.lost ? "lost" : "saved"}` }, total.saved));
  run.replaceChildren(...children);
  button.disabled = false;
}

title.addEventListener("keydown", event => {
  if (event.isComposing) return;
  if (event.key === "Enter") { event.preventDefault(); title.blur(); }
  if (event.key === "Escape") { event.stopPropagation(); title.value = saved; title.blur(); }
});
title.addEventListener("blur", () => {
  const text = title.value.trim();
  if (!text || text === saved) { title.value = saved; return; }
  rename(page.conversation, text, () => { title.value = saved; });
});
title.form.addEventListener("submit", event => event.preventDefault());

async function rename(id, text, undo) {
  const before = saved;
  if (id === page.conversation) { saved = text; setTitle(text); if (document.activeElement !== title) title.value = text; }
  const name = $(`#row-${CSS.escape(id)} .name`);
  if (name) name.textContent = text;
  try { await post(url.of("rename", id), { title: text }); unnotice("refused"); } catch (error) {
    if (id === page.conversation) { saved = before; setTitle(before); }
    undo?.();
    refetch();
    notice("refused", [error.message], { grave: true });
  }
}

// ---------------------------------------------------------------- a row's menu

$("#row-menu").addEventListener("beforetoggle", event => {
  if (event.newState !== "closed") return;
  for (const button of $$("#list .icon[aria-expanded]")) button.removeAttribute("aria-expanded");
});
document.addEventListener("click", event => {
  const button = event.target.closest("#list .icon");
  if (!button) return;
  const row = button.closest(".row");
  menuRow.id = row.dataset.conversation;
  menuRow.title = $(".name", row).textContent;
  button.setAttribute("aria-expanded", "true");
}, true);

function renameRow() {
  $("#row-menu").hidePopover();
  const row = document.getElementById(`row-${menuRow.id}`), link = row && $("a", row);
  if (!link) return;
  const id = menuRow.id;
  const input = make("input", { "aria-label": "Title", maxlength: "120", autocomplete: "off", dir: "auto" });
  input.value = menuRow.title;
  let over = false;
  const end = keep => {
    if (over) return;
    over = true;
    const text = input.value.trim();
    input.replaceWith(link);
    if (keep && text && text !== menuRow.title) rename(id, text);
    link.focus();
  };
  input.addEventListener("keydown", event => {
    if (event.isComposing) return;
    if (event.key === "Enter") end(true);
    if (event.key === "Escape") { event.stopPropagation(); end(false); }
  });
  input.addEventListener("blur", () => end(true));
  link.replaceWith(input);
  input.focus();
  input.select();
}

export async function remove(id = page.conversation, name = saved || "New conversation") {
  try {
    const answer = await post(url.of("delete", id));
    if (id === page.conversation) { location.assign(answer.headers.get("HX-Redirect") ?? `${url.home}?deleted=${id}`); return; }
    document.getElementById(`row-${id}`)?.remove();
    const undo = linkButton("Undo", async () => {
      try {
        await post(url.of("restore", id));
        unnotice("deleted");
        refetch();
      } catch (error) { notice("refused", [error.message], { grave: true }); }
    });
    notice("deleted", ["“", make("bdi", {}, name), "” was deleted. ", undo]);
    refetch();
  } catch (error) { notice("refused", [error.message], { grave: true }); }
}

export const doings = {
  sidebar: toggle,
  "rename-row": renameRow,
  "delete-row": () => { $("#row-menu").hidePopover(); remove(menuRow.id, menuRow.title); },
  delete: () => { $("#menu").hidePopover(); remove(); },
  rename: () => { $("#menu").hidePopover(); title.focus(); title.select(); },
};
