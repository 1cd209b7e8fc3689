// Ties the files together: who hears which frame, and which button does what.
import { $, page, url, hear, post, make, refusal, isSentence, uuid } from "./page.js";
import { Socket } from "./socket.js";
import * as turns from "./turns.js";
import * as composer from "./composer.js";
import * as sidebar from "./sidebar.js";
import { notice, unnotice, linkButton } from "./notices.js";
import { copy } from "./copy.js";
import { edit } from "./edit.js";
import { toEnd } from "./follow.js";
import { turnTheme } from "./theme.js";
import { keepOn } from "./keys.js";
import "./pops.js";

// ---------------------------------------------------------------- the socket

const BANNER_AFTER_MS = 1_500;
let lostAt = 0, countdown = 0;
const address = `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}${url.home}ws/`;
const socket = new Socket(address, { up, frame, down, refused });

function up() {
  clearInterval(countdown);
  lostAt = 0;
  unnotice("down");
  watch();
  composer.resend();
}

function watch() { if (!page.isNew) socket.send({ type: "stet:watch", "stet:conversation": page.conversation }); }

function down({ at }) {
  lostAt ||= Date.now();
  clearInterval(countdown);
  const count = make("span", { class: "n" });
  let banner = null;
  // A connection that comes back at once is nobody's business.
  const show = () => {
    count.textContent = `${Math.max(0, Math.ceil((at - Date.now()) / 1000))} s`;
    if (banner || Date.now() - lostAt < BANNER_AFTER_MS) return;
    const begin = turns.runningTurn()
      ? "Connection lost. The answer goes on without you and will be here when you are back."
      : "Connection lost. What you write is kept.";
    const now = linkButton("Try now", () => socket.now());
    banner = notice("down", [`${begin} Trying again in `, count, ". ", now], { grave: true, dismiss: false });
  };
  show();
  countdown = setInterval(show, 250);
}

function refused(code) {
  if (code === 4401) { location.assign(`${page.signIn}?next=${encodeURIComponent(location.pathname)}`); return; }
  const another = make("a", { class: "link", href: url.home }, "Begin a new one");
  notice("gone", ["This conversation does not exist any more. ", another], { grave: true, dismiss: false });
}

function frame(event) {
  switch (event.type) {
    case "error": composer.onError(event); break;
    case "stet:watching": if (event["stet:conversation"] === page.conversation && !page.isNew) turns.compare(event); break;
    case "stet:conversation":
      sidebar.onConversation(event);
      if (event["stet:conversation"] === page.conversation) here(event);
      break;
    case "stet:queue.returned":
      composer.onReturned(event);
      turns.onTurn(event);
      break;
    case "stet:turn.added":
      turns.onTurn(event);
      composer.onAdded(event);
      break;
    default:
      if (event["stet:turn"]) turns.onTurn(event);
  }
}

function here(event) {
  sidebar.onHere(event);
  if (event.deleted) { refused(4404); return; }
  if (event.revision > page.revision) { page.revision = event.revision; settle(); }
}

/** News came: ask, once they have settled, whether the page still shows the right turns. */
let settling = 0, unsettled = false;
function settle() {
  unsettled = true;
  clearTimeout(settling);
  settling = setTimeout(() => { if (unsettled && !turns.runningTurn()) { unsettled = false; watch(); } }, 400);
}

hear("resume", turn => socket.send({ type: "stet:resume", "stet:turn": turn.id, starting_after: turn.last }));
hear("cancel", async turn => {
  if (!turn || socket.send({ type: "stet:cancel", "stet:turn": turn })) return;
  try { await post(url.turn(turn, "stop")); } catch (error) { notice("refused", [error.message], { grave: true }); }
});
hear("running", turn => { if (!turn) { keepOn(); if (unsettled) settle(); } });
hear("known", () => {
  for (const one of [$("#rename"), $("#more")]) one.hidden = false;
  watch();
});

// ---------------------------------------------------------------- buttons

const doings = {
  ...sidebar.doings,
  theme: turnTheme,
  edit,
  "copy-question": button => copy($(".question", button.closest(".said")).textContent, button),
  "copy-answer": button => { const turn = turns.turnOf(button); if (turn) copy(turns.answerText(turn), button); },
};
document.addEventListener("click", event => {
  const button = event.target.closest("[data-do]");
  if (button) doings[button.dataset.do]?.(button);
});

// ---------------------------------------------------------------- htmx: ids for what makes turns, sentences for what fails

document.body.addEventListener("htmx:configRequest", event => {
  if ("client_id" in event.detail.parameters) event.detail.parameters.client_id = uuid();
});
document.body.addEventListener("htmx:afterRequest", event => {
  const { elt, successful } = event.detail;
  if (!successful) return;
  unnotice("refused");
  if (elt.dataset.then === "transcript") turns.refetch().catch(error => notice("refused", [error.message], { grave: true }));
  if (elt.dataset.then === "close-instructions") $("#instructions").hidePopover();
});
document.body.addEventListener("htmx:responseError", event => {
  const { xhr } = event.detail;
  failed(event, isSentence(xhr.getResponseHeader("Content-Type")) ? xhr.responseText : refusal(xhr.status));
});
document.body.addEventListener("htmx:sendError", event => failed(event, "The server could not be reached. Nothing was changed."));
function failed(event, sentence) {
  const ledger = event.detail.elt.matches("details.cost") && $(".ledger", event.detail.elt);
  if (ledger) ledger.replaceChildren(make("p", { class: "quiet" }, sentence)); else notice("refused", [sentence], { grave: true });
}

// An opened ledger stands in view as a whole: at the end of the page it would lie under the composer.
document.addEventListener("htmx:afterSettle", event => {
  if (event.detail.elt.matches?.(".ledger")) event.detail.elt.scrollIntoView({ block: "nearest" });
});

// ---------------------------------------------------------------- begin

turns.adoptAll();
composer.start(frame => socket.send(frame));
const named = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
if (named) named.scrollIntoView(); else if (!$("#first")) toEnd();

socket.connect();
