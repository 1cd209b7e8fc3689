// Light, dark, or as the system says. first.js applies the choice before the first paint.
import { $, store } from "./page.js";

const NEXT = { system: "light", light: "dark", dark: "system" };
const root = document.documentElement;
const now = () => root.dataset.theme ?? "system";

export function label() {
  const button = $("[data-do=theme]");
  const text = `Theme: ${now() === "system" ? "follow the system" : now()}`;
  button?.setAttribute("aria-label", text);
  button?.setAttribute("title", text);
}

export function turnTheme() {
  const next = NEXT[now()];
  if (next === "system") delete root.dataset.theme; else root.dataset.theme = next;
  store.set("theme", next === "system" ? "" : next);
  label();
}
label();
