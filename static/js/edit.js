// A question edited becomes a new version of its turn, as a branch; the old one stays.
import { $, make, page, post, tidy, url, uuid } from "./page.js";
import { turnOf } from "./turns.js";
import { notice, unnotice, plainButton } from "./notices.js";

export function edit(button) {
  const turn = turnOf(button), said = button.closest(".said");
  if (!turn || page.isNew || $(".edit", said)) return;
  const question = $(".question", said), acts = $(".acts", said);
  const area = make("textarea", { dir: "auto", "aria-label": "Your message" });
  area.value = question.textContent;
  const client = uuid();
  const save = make("button", { class: "button main" }, "Send as a new version");
  const form = make("form", { class: "edit" }, area, make("div", { class: "choices" }, save, plainButton("Cancel", close)));
  function close() { form.remove(); question.hidden = acts.hidden = false; button.focus(); }
  form.addEventListener("submit", async event => {
    event.preventDefault();
    const text = tidy(area.value);
    if (!text.trim()) return;
    save.disabled = true;
    try {
      await post(url.turn(turn.id, "edit"), { text, client_id: client });
      unnotice("refused");
      close();
    } catch (error) { notice("refused", [error.message], { grave: true }); save.disabled = false; }
  });
  area.addEventListener("keydown", event => {
    if (event.key === "Escape") { event.stopPropagation(); close(); }
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.isComposing) form.requestSubmit();
  });
  question.hidden = acts.hidden = true;
  said.prepend(form);
  area.focus();
  area.setSelectionRange(area.value.length, area.value.length);
}
