// SPDX-License-Identifier: Apache-2.0
// Shows the state of waiting-room.js and handles the visitor's input.
import { backOff, waitingRoom } from "./waiting-room.js";
import { extras } from "./extras.js";
import {
  LANGUAGES, aheadText, announcer, fill, formats, pickLanguage, reference, titleOf, troubleText,
  variables, waitText, mergeTexts,
} from "./view.js";

const $ = (id) => document.getElementById(id);
const pause = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));
const CHOICE = "waiting-room::language"; // shared by all events; no event id is ":language"
const MIN_SESSION_CHECK = 5; // s between two checks whether a session has ended
const LONG_HIDDEN = 60_000; // ms after which a session is checked again
const COPIED = 2; // s for which the button shows it
const TURN_ICON =
  "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'>" +
  "<rect width='32' height='32' rx='9' fill='%230a7d33'/>" +
  "<path d='M8 17l6 6 11-13' stroke='white' stroke-width='4' fill='none'/></svg>";
const requested = new URLSearchParams(location.search);
const transaction = requested.get("transaction");
const lost = `note_${requested.get("note")}`; // a form or a part of the address, by the gate
const EVENT_ID = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/; // as of the events of a gate
const announce = announcer();
const written = new Map(); // element → text
const more = extras();
const icon = $("icon").href;
let config, words, form, room, stop;
let state = { phase: "loading" };
let tokens = null; // in memory only
let sessionLeft = null; // () → seconds
let receipt = null;
let shown = ""; // the visible section
let leaving = false;
let entered = false; // joined automatically, for an OpenID client
let resuming = false; // requests the token of a visitor who had one before the reload
let resumed = false;
let hiddenAt = null;

/** Time of the clock of waiting-room.js, in ms. */
const now = () => (room ? room.now() : Date.now());

/** Whether the page sends its token to the entrance of a gate, which has many events. */
const isAtGate = () => /\/_waiting-room\/session$/.test(config.entrance || "");

/** Storage key of this event. */
const keyOf = (name) => `waiting-room:${config.event_id}:${name}`;

// --- texts and brand

function chosenLanguage() {
  const kept = more.kept(CHOICE);
  if (LANGUAGES.includes(kept)) return kept;
  return pickLanguage(navigator.languages || [navigator.language]);
}

async function load(work) {
  for (let tries = 1; ; tries += 1) {
    try {
      return await work(tries);
    } catch (error) {
      if (words) write($("trouble-text"), words.unreachable);
      $("trouble").hidden = !words;
      await pause(backOff(tries));
    }
  }
}

async function setLanguage(language) {
  const { default: found } = await load((tries) => {
    const file = `./words/${language}.js${tries > 1 ? `?${tries}` : ""}`;
    return import(file); // a variable: the bundle does not contain the words
  });
  const own = (config && config.brand && config.brand.texts) || {};
  words = mergeTexts(found, own["*"], own[language]);
  form = formats(language);
  const root = document.documentElement;
  root.lang = language;
  root.setAttribute("data-started", ""); // start.js stops watching
  $("retry").disabled = $("card").hidden = false;
  $("language").value = language;
  for (const part of document.querySelectorAll("[data-word]")) write(part, words[part.dataset.word]);
  showFailure("");
  render();
}

const brand = () => (config && config.brand) || {};

function applyBrand() {
  const { name, logo, colors, colors_dark } = brand();
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const { style } = document.documentElement;
  style.cssText = "";
  const seen = getComputedStyle(document.documentElement);
  const own = {};
  for (const part of ["background", "card", "text", "muted"])
    own[part] = seen.getPropertyValue(`--${part}`).trim();
  const wanted = dark ? colors_dark || { accent: colors && colors.accent } : colors;
  for (const [part, colour] of variables(wanted, own)) style.setProperty(`--${part}`, colour);
  for (const part of document.querySelectorAll("meta[name=theme-color]"))
    part.content = seen.getPropertyValue("--background").trim();
  $("name").textContent = name || "";
  $("logo").hidden = !logo;
  if (logo) $("logo").src = logo;
}

// --- visible state

const view = () =>
  receipt ? "receipt"
  : tokens && !leaving ? "inside"
  : resuming ? "loading"
  : state.phase === "joining" ? "placing"
  : state.phase;

/** Write a text only if it changed, so that translations of the browser stay. */
function write(part, text) {
  if (written.get(part) === text) return;
  written.set(part, text);
  part.textContent = text;
}

function render() {
  if (!words) return;
  const current = view();
  const [label, before] = aheadText(state.ahead || 0, words, form);
  for (const part of document.querySelectorAll("[data-value]")) {
    const { value } = part.dataset;
    const text = value === "before" ? before : form.number(state[value]);
    write(part, text);
    part.classList.toggle("long", text.length > 6);
  }
  write($("ahead-label"), label);
  $("ahead").classList.toggle("next", before === "");
  write($("placing"), words[state.phase === "joining" ? "loading" : "placing"]);
  write($("wait"), waitText(state, words, form));
  $("progress").value = state.progress || 0;
  $("progress").setAttribute("aria-label", words.place);
  $("not-kept").hidden = state.kept !== false;
  $("checkout").hidden = hasClient();
  $("leaving").hidden = !hasClient();
  const over = current === "over" ? words[state.reason] || words.ended : ["", ""];
  write($("over-title"), over[0]);
  write($("over-text"), over[1]);
  const { request_id } = room ? room.proof() : {};
  $("reference").hidden = !request_id;
  if (request_id) write($("reference-code"), reference(request_id, state.number));
  $("message").hidden = !state.message;
  write($("message-text"), state.message || "");
  $("trouble").hidden = !state.trouble;
  document.title = titleOf({ ...state, phase: current }, words, form, brand().name);
  if (current !== shown) show(current);
  updateTimes();
  announceText(announce({ ...state, phase: current }, words, form, now()));
  updateScrolling();
}

/** Make the notes scrollable by keyboard if they overflow. */
function updateScrolling() {
  const notes = $("notes");
  if (notes.scrollHeight > notes.clientHeight + 1) notes.tabIndex = 0;
  else notes.removeAttribute("tabindex");
}

function show(current) {
  const busy = document.activeElement || document.body;
  const lost = busy === document.body || busy.closest("section");
  for (const part of document.querySelectorAll("section")) part.hidden = part.dataset.view !== current;
  if (shown && shown !== "loading" && lost) document.querySelector("section:not([hidden]) h1").focus();
  if ((current === "turn") !== (shown === "turn"))
    $("icon").href = current === "turn" ? TURN_ICON : icon;
  shown = current;
  showFailure("");
  if (current === "turn") onTurn();
}

function announceText(text) {
  if (text) $("live").textContent = text;
}

function showFailure(word) {
  const text = words[word || lost];
  $("failure").hidden = !text;
  $("failure").textContent = text;
  if (word) announceText(text);
}

/** Update everything that depends only on the time. */
function updateTimes() {
  if (!words) return;
  write($("trouble-text"), troubleText(state, words, form, now()));
  const held = shown === "turn" && state.expiresAt ? (state.expiresAt - now()) / 1000 : null;
  const left = shown === "inside" && sessionLeft ? sessionLeft() : null;
  count("held", words.held, held);
  count("session", words.session, left);
  if (left !== null && left <= 0) checkSession(); // read the new state from the room
}

function count(id, text, left) {
  const said = left === null ? "" : fill(text, { time: form.clock(left) });
  write($(id), said);
  if (said && [300, 60].includes(Math.ceil(left))) announceText(said);
}

/** Countdown in seconds; a clock jump ends it early, and the page then polls the room. */
function countdown(seconds) {
  const wall = Date.now();
  const run = performance.now();
  return () => seconds - Math.max(Date.now() - wall, performance.now() - run) / 1000;
}

// --- the turn

function onTurn() {
  if (hasClient()) returnToClient();
  if (!$("alert").checked || (tokens && !leaving)) return;
  more.chime();
  more.vibrate();
  if (document.hidden) more.notify(brand().name || words.title, words.turn_title, keyOf("turn"));
}

/** Return whether the visitor came from an OpenID client. */
const hasClient = () => Boolean(transaction && config && config.openid);

async function returnToClient() {
  if (leaving || document.hidden || view() !== "turn") return;
  leaving = true;
  const [last, done] = (more.kept(keyOf("back"), "sessionStorage") || "0 0").split(" ").map(Number);
  const tries = Date.now() - last < 120_000 ? done : 0;
  const kept = more.keep(keyOf("back"), `${Date.now()} ${tries + 1}`, "sessionStorage");
  if (!kept) await pause(2);
  else if (tries) await pause(backOff(tries)); // the site is busy
  if (!(await room.token())) {
    leaving = false;
    return;
  }
  submitForm(`${config.openid}/authorize/continue`, { transaction, ...room.proof() });
}

/** Submit a form to an address, so that the values are not in the address. */
function submitForm(action, fields) {
  const leave = document.createElement("form");
  leave.method = "post";
  leave.action = action;
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    leave.append(Object.assign(document.createElement("input"), { type: "hidden", name, value }));
  }
  document.body.append(leave);
  leave.submit();
}

function onClick(id, work) {
  $(id).addEventListener("click", async () => {
    const button = $(id);
    if (button.hasAttribute("aria-disabled")) return;
    button.setAttribute("aria-disabled", "true");
    showFailure("");
    const name = button.dataset.word;
    button.textContent = words.loading;
    try {
      await work();
    } catch (error) {
      showFailure("failed");
    }
    button.removeAttribute("aria-disabled");
    button.textContent = words[name];
    render();
  });
}

async function checkOut() {
  resumed = true;
  const found = await room.token();
  if (!found) return;
  tokens = found;
  sessionLeft =
    found.expires_in > 0 ? countdown(Math.max(MIN_SESSION_CHECK, found.expires_in)) : null;
  if (stop) stop();
  if (config.entrance && !resuming) postToken();
}

/**
 * Post the token to the site; browsers keep the fragment of the address first requested. The
 * entrance of a gate at the edge also needs the event, and the address to which the visitor returns.
 */
function postToken() {
  leaving = true;
  const to = requested.get("to");
  const way = to === null && !isAtGate() ? {} : { event: config.event_id, to: to || "/" };
  submitForm(config.entrance + location.hash, { ...way, token: tokens.access_token });
}

/** After a reload, request the token of a visitor who had one: the session continues or is over. */
async function resumeSession() {
  if (resumed || tokens || receipt || hasClient()) return;
  resumed = resuming = true;
  await checkOut().catch(() => showFailure("failed"));
  resuming = false;
  render();
}

/** The token has probably expired: check with the room. */
function checkSession() {
  tokens = sessionLeft = null;
  resumed = false;
  start();
}

async function purchase() {
  if (config.entrance) return postToken();
  for (let tries = 1; ; tries += 1) {
    const answer = await fetch(`${config.store_api}/checkout`, {
      headers: { Authorization: tokens.access_token },
    }).catch(() => null);
    if (answer && answer.ok) {
      receipt = await answer.json();
      const { request_id } = room.proof();
      more.keep(keyOf("receipt"), JSON.stringify({ request_id, receipt }), "sessionStorage");
      return showReceipt();
    }
    const refused = answer && [401, 403].includes(answer.status);
    if (refused) {
      tokens = sessionLeft = null; // expired: return to the turn, which finds the reason
      start();
    }
    if (refused || tries === 3) return showFailure("failed");
    await pause(backOff(tries));
  }
}

function showReceipt() {
  const { currency } = brand();
  const lines = [
    [words.order, receipt.order_id],
    ...(receipt.items || []).map((item) => [item.name, form.money(item.price_cents, currency)]),
    [words.total, form.money(receipt.total_cents, currency)],
  ];
  $("items").textContent = "";
  for (const line of lines) {
    const row = document.createElement("div");
    for (const [at, text] of line.entries())
      row.append(Object.assign(document.createElement(at ? "dd" : "dt"), { textContent: text }));
    $("items").append(row);
  }
}

/** Read the receipt of this session, if it was shown in this tab before. */
function findReceipt() {
  const { request_id } = room.proof();
  try {
    const kept = JSON.parse(more.kept(keyOf("receipt"), "sessionStorage"));
    if (!request_id || kept.request_id !== request_id) return;
    receipt = kept.receipt;
    showReceipt();
  } catch (error) {
    receipt = null; // none, or of another position
  }
}

// --- the alert

function alertNote() {
  const allowed = more.permission();
  const note =
    !$("alert").checked || allowed === "granted" ? ""
    : !more.canSound() ? "alert_none"
    : allowed === "denied" ? "alert_denied"
    : "alert_sound";
  write($("alert-note"), note && words[note]);
}

function setAlert(on) {
  $("alert").checked = on;
  more.stayAwake(on && !document.hidden);
  alertNote();
}

async function chooseAlert(on) {
  setAlert(on);
  more.keep(keyOf("alert"), on ? "on" : null);
  if (!on) return;
  more.chime(); // as a preview for the visitor
  await more.ask();
  alertNote();
}

// --- start

function start() {
  stop = room.watch((found) => {
    state = found;
    const { phase, taken, trouble } = found;
    if (hasClient() && phase === "outside" && !trouble && !entered) {
      entered = true; // only once; if the room rejects the join, the visitor has the button
      room.join().catch(() => showFailure("failed"));
    }
    if (phase !== "loading" && !receipt && !resumed) findReceipt();
    if (phase === "turn" && taken) resumeSession();
    render();
  });
}

function onHidden() {
  if (document.hidden) hiddenAt = performance.now();
  else if (tokens && !receipt && hiddenAt !== null && performance.now() > hiddenAt + LONG_HIDDEN) checkSession();
  if (room) more.stayAwake($("alert").checked && !document.hidden);
  if (hasClient()) returnToClient();
}

async function begin() {
  $("language").addEventListener("change", async ({ target }) => {
    more.keep(CHOICE, target.value);
    await setLanguage(target.value);
    alertNote();
    if (receipt) showReceipt();
  });
  await setLanguage(chosenLanguage());
  config = await load(async () => {
    const answer = await fetch("config.json", { cache: "no-cache" });
    if (!answer.ok) throw answer;
    return answer.json();
  });
  const asked = requested.get("event") || "";
  if (isAtGate() && EVENT_ID.test(asked)) config.event_id = asked;
  $("trouble").hidden = true;
  applyBrand();
  if (config.entrance) {
    $("purchase").dataset.word = "checkout"; // the site handles the purchase
    $("purchase").textContent = words.checkout;
  }
  if (brand().texts) await setLanguage(chosenLanguage());
  room = waitingRoom({ eventId: config.event_id, publicApi: config.public_api });
  start();
  onClick("enter", () => room.join());
  onClick("again", () => room.join());
  onClick("checkout", checkOut);
  onClick("purchase", purchase);
  $("retry").addEventListener("click", () => room.retry());
  $("copy").addEventListener("click", async () => {
    const copied = await more.copy($("reference-code").textContent, $("reference-code"));
    if (!copied) return;
    $("copy").textContent = words.copied;
    announceText(words.copied);
    await pause(COPIED);
    $("copy").textContent = words.copy;
  });
  // ignore the value that the browser restored; only the stored value is a choice
  setAlert(more.kept(keyOf("alert")) === "on");
  $("alert").addEventListener("change", ({ target }) => chooseAlert(target.checked));
  for (const touch of ["pointerdown", "keydown"])
    addEventListener(touch, () => $("alert").checked && more.unlock());
  document.addEventListener("visibilitychange", onHidden);
  addEventListener("pageshow", () => leaving && location.reload()); // the visitor came back
  addEventListener("resize", updateScrolling);
  setInterval(updateTimes, 1000);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", applyBrand);
}

begin();
