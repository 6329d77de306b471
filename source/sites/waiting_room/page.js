// SPDX-License-Identifier: Apache-2.0
// Shows the state of waiting-room.js and handles the visitor's input.
import { acceptsJoins } from "./event.js";
import { $, announce, applyBrand, count, onClick, showSection, updateScrolling, write, writeOrHide } from "./screen.js";
import { storage } from "./storage.js";
import {
  aheadText, announcer, eventText, formats, mergeTexts, noteText, pickLanguage, reference,
  startsAt, titleOf, troubleText, viewOf, waitLabel, waitText,
} from "./view.js";
import { backOff, waitingRoom } from "./waiting-room.js";

const pause = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));
const CHOICE = "waiting-room::language"; // shared by all events; no event id is ":language"
const requested = new URLSearchParams(location.search);
const transaction = requested.get("transaction");
const lost = `note_${requested.get("note")}`; // a form or a part of the address, by the gate
const EVENT_ID = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/; // as of the room's events
const announcementOf = announcer();
const { kept, keep } = storage();
const icon = $("icon").getAttribute("href");
const turnIcon = icon.replace("3355d1", "0a7d33") // green, and a check mark in place of the circles
  .replace(/<c.*>(?=<)/, "<path d='M8 17l6 6 11-13' stroke='white' stroke-width='4' fill='none'/>");
let config, words, form, room, stop;
let language, latest; // of the last call of setLanguage()
let visitor = null; // of visit.js, once there is a position
let loading = null;
let touched = false; // whether the visitor chose an alert before there was a `visitor`
let state = { phase: "loading" };
let shown = ""; // the visible section
let entered = false; // joined automatically, for an OpenID client
let own = { title: "", page: {} }; // what the event adds to this page
let version = ""; // of it
let branding = null; // of branding.js, once the event adds something

/** Time of the clock of waiting-room.js, in ms. */
const now = () => (room ? room.now() : Date.now());

/** Whether the page sends its token to the entrance of a gate, which has many events. */
const isAtGate = () => /\/_waiting-room\/session$/.test(config.entrance || "");

/** Return whether the visitor came from an OpenID client. */
const hasClient = () => Boolean(transaction && config && config.openid);

/** Storage key of this event. */
const keyOf = (name) => `waiting-room:${config.event_id}:${name}`;

// --- texts and brand

/** The brand of the deployment, in which the event replaces members. */
const brand = () => ({ ...(config && config.brand), ...own.page.brand });

/** Name of the organiser, and title of the event. */
const nameOf = () => [brand().name, own.title].filter(Boolean).join(" · ");

function chosenLanguage() {
  const { options, selectedIndex, value } = $("language");
  const languages = [...options].map((option) => option.value);
  if (selectedIndex > 0) keep(CHOICE, value); // chosen before this script ran
  const chosen = selectedIndex > 0 ? value : kept(CHOICE);
  if (languages.includes(chosen)) return chosen;
  return pickLanguage(navigator.languages || [navigator.language], languages);
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

async function read(address, options) {
  const answer = await fetch(address, options);
  if (!answer.ok) throw answer;
  return answer.json();
}

/** Show the page in a language. The last call decides, also if the texts of an earlier one arrive later. */
function setLanguage(wanted) {
  const call = load((tries) => read(`words/${wanted}.json${tries > 1 ? `?${tries}` : ""}`))
    .then((found) => (call === latest ? useWords(found) : latest));
  language = wanted;
  latest = call;
  return call;
}

function useWords(found) {
  const first = !words;
  const all = [config && config.brand && config.brand.texts, own.page.texts];
  words = mergeTexts(found, ...all.flatMap((texts) => (texts ? [texts["*"], texts[language]] : [])));
  form = formats(words.tag, navigator.languages);
  const root = document.documentElement;
  root.lang = words.tag;
  root.dir = words.dir;
  root.setAttribute("data-started", ""); // start.js stops watching
  $("retry").disabled = $("card").hidden = false;
  $("language").value = language;
  for (const part of document.querySelectorAll("[data-word]")) write(part, words[part.dataset.word]);
  showFailure("");
  if (first) follow();
  else render();
}

// --- visible state

/** A visitor who took the turn before sees no other section until `visit.js` resumes the session. */
const resumes = () => !visitor && state.phase === "turn" && state.taken && !hasClient();

const view = () => (visitor && visitor.view()) || (resumes() ? "loading" : viewOf(state));

/** The state with what the texts need besides it. */
const seen = () => ({ ...state, phase: view(), serverNow: room ? room.serverNow() : null });

function render() {
  if (!words) return;
  const found = seen();
  const current = found.phase;
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
  writeOrHide("wait-label", waitLabel(state, words));
  $("progress").value = state.progress || 0;
  $("not-kept").hidden = state.kept !== false;
  $("checkout").hidden = hasClient();
  $("leaving").hidden = !hasClient();
  const over = current === "over" ? words[state.reason] || words.ended : ["", ""];
  write($("over-title"), over[0]);
  write($("over-text"), over[1]);
  $("again").hidden = !acceptsJoins(state.event);
  const [title, text] = eventText(found, words);
  write($("event-title"), title);
  write($("event-text"), text);
  const starts = current === "event" ? startsAt(found) : null;
  writeOrHide("event-time", starts && form.date(starts));
  if (starts) $("event-time").dateTime = new Date(starts).toISOString();
  const open = state.event && state.event.phase === "pass_through";
  write($("enter-title"), open ? words.proceed : words.enter_title);
  write($("enter-text"), open ? words.pass_through : words.enter_text);
  if (!$("enter").hasAttribute("aria-disabled")) write($("enter"), open ? words.proceed : words.enter);
  const { request_id } = room ? room.proof() : {};
  $("reference").hidden = !request_id || current === "loading"; // it would move
  if (request_id) write($("reference-code"), reference(request_id, state.number));
  $("message").hidden = !state.message;
  write($("message-title"), state.message ? words.message : "");
  write($("message-text"), state.message || "");
  $("trouble").hidden = !state.trouble;
  document.title = titleOf(found, words, form, nameOf());
  if (current !== shown) show(current);
  updateTimes();
  announce(announcementOf(found, words, form, now()));
  updateScrolling();
}

function show(current) {
  showSection(current, !shown || shown === "loading");
  if ((current === "turn") !== (shown === "turn"))
    $("icon").href = current === "turn" ? turnIcon : icon;
  shown = current;
  showFailure("");
  if (current === "turn" && visitor) visitor.onTurn();
}

function showFailure(word) {
  writeOrHide("failure", words[word || lost]);
  if (word) announce(words[word]);
}

/** Update everything that depends only on the time. */
function updateTimes() {
  if (!words) return;
  const found = seen();
  write($("trouble-text"), troubleText(state, words, form, now()));
  write($("wait"), waitText(found, words, form));
  writeOrHide("note", noteText(found, words, form));
  const held = shown === "turn" && state.expiresAt ? (state.expiresAt - now()) / 1000 : null;
  const left = shown === "inside" ? visitor.left() : null;
  const starts = shown === "event" && found.serverNow ? startsAt(found) : null;
  const begins = starts && (starts - found.serverNow) / 1000;
  $("event-count").hidden = begins === null;
  count("held", words.held, held, form, words);
  count("session", words.session, left, form, words);
  count("event-count", begins > 0 ? words.opens_in : words.opening, begins, form, words);
  if (left !== null && left <= 0) visitor.checkSession(); // read the new state from the room
}

// --- the visit

const importOf = (name) => (tries) => {
  const file = `./${name}.js${tries > 1 ? `?${tries}` : ""}`;
  return import(file); // a variable: the bundle does not contain it
};

/** Load the module for visitors with a position. */
function loadVisit() {
  loading = loading || load(importOf("visit")).then(async (found) => {
    await latest;
    visitor = found.visit({
      config, room, requested, kept, keep, keyOf, pause, backOff, write, announce, render, showFailure,
      start, view, isAtGate, hasClient, touched,
      stop: () => stop(),
      words: () => words,
      name: () => nameOf() || words.title,
      currency: () => brand().currency,
    });
    if (shown === "turn") visitor.onTurn();
    visitor.follow(state);
    render();
    return visitor;
  });
  return loading;
}

/** Join; while the gate lets everybody through, go to the requested address instead. */
async function enter() {
  const open = state.event && state.event.phase === "pass_through";
  if (!open || !isAtGate()) return room.join();
  const way = new URLSearchParams({ event: config.event_id, to: requested.get("to") || "/" });
  location.assign(`${config.entrance.replace(/session$/, "enter")}?${way}`);
}

/** Read what the event adds to this page, again after each change. */
async function followOwn(wanted) {
  version = wanted;
  branding = branding || load(importOf("branding")).then((found) => found.branding({ config, pause, showOwn }));
  (await branding)(wanted);
}

function showOwn(found) {
  own = found;
  setLanguage(language);
  showBrand();
}

const showBrand = () => applyBrand({ ...brand(), name: nameOf() });

// --- start

function start() {
  stop = room.watch((found) => {
    state = found;
    if (found.event && found.event.page !== version) followOwn(found.event.page);
    if (words) follow();
  });
}

/** Act on the state, once there are words for it. */
function follow() {
  const { phase, held, trouble, event } = state;
  if (hasClient() && phase === "outside" && !trouble && !entered && acceptsJoins(event)) {
    entered = true; // only once; if the room rejects the join, the visitor has the button
    room.join().catch(() => showFailure("failed"));
  }
  if (visitor) visitor.follow(state);
  else if (held) loadVisit();
  render();
}

function watchButtons() {
  const done = (failed) => {
    if (failed) showFailure("failed");
    render();
  };
  const works = {
    enter,
    again: () => room.join(),
    checkout: async () => (await loadVisit()).checkOut(),
    purchase: () => visitor.purchase(),
  };
  for (const [id, work] of Object.entries(works))
    onClick(id, () => words.loading, () => (showFailure(""), work()), done);
  $("retry").addEventListener("click", () => room.retry());
  $("alert").addEventListener("change", () => (touched = true));
  $("copy").addEventListener("click", async () => !visitor && (await loadVisit()).copyReference());
}

async function begin() {
  $("language").addEventListener("change", async ({ target }) => {
    keep(CHOICE, target.value);
    await setLanguage(target.value);
    if (visitor) visitor.rewrite();
  });
  setLanguage(chosenLanguage());
  config = await load((tries) => read("config.json", tries > 1 ? { cache: "no-cache" } : {}));
  const asked = requested.get("event") || "";
  const one = config.preview || (!isAtGate() && (hasClient() || config.entrance)); // a site of one event
  if (!one && EVENT_ID.test(asked)) config.event_id = asked;
  $("trouble").hidden = true;
  showBrand();
  if (config.entrance) $("purchase").dataset.word = "checkout"; // the site handles the purchase
  if (words && (config.entrance || brand().texts)) setLanguage(language); // write the texts again
  room = waitingRoom({ eventId: config.event_id, publicApi: config.public_api });
  watchButtons();
  start();
  if (room.proof().request_id) loadVisit(); // a visitor who returns
  addEventListener("resize", updateScrolling);
  setInterval(updateTimes, 1000);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", showBrand);
}

begin();
