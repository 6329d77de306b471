// SPDX-License-Identifier: Apache-2.0
// Preview of the waiting page: preview.html runs this module before the page's own. It answers the
// calls of the page with the responses of a state, under an event id of its own, so the visitor's
// position in the real queue is not touched. Brand, texts and block of the event are the real ones.
import { replyOf, STATES } from "./preview-states.js";

const OWN = ":preview"; // event id of the page in the preview; no event has it
const requested = new URLSearchParams(location.search);
const name = STATES[requested.get("state")] ? requested.get("state") : "outside";
const state = STATES[name];
const realFetch = window.fetch.bind(window);
const json = (status, content, headers) =>
  new Response(JSON.stringify(content), { status, headers: { "Content-Type": "application/json", ...headers } });
let room = null; // address of the public API
let eventId = requested.get("event") || "";
let page = null; // promise of the event's own page

function store(key, value) {
  try {
    localStorage.setItem(key, JSON.stringify(value));
  } catch (error) {
    // the page works without storage
  }
}

function prepareStorage() {
  for (const kind of ["localStorage", "sessionStorage"]) {
    try {
      const storage = window[kind];
      for (const key of Object.keys(storage)) if (`${key}:`.startsWith(`waiting-room:${OWN}:`)) storage.removeItem(key);
    } catch (error) {
      // no storage
    }
  }
  const now = Date.now() / 1000;
  if (state.position) store(`waiting-room:${OWN}`, { since: now, ...state.position });
  const [, { serving_counter, waiting_num, queue_counter, message }] = replyOf({}, "/status", now);
  if (state.fault) store(`waiting-room:${OWN}:seen`, { serving: serving_counter, waiting: waiting_num, queue: queue_counter, rate: 12.4, message });
}

/** The event's own page from the room; without one, nothing. */
async function readPage() {
  try {
    const answer = await realFetch(`${room}/page?event_id=${encodeURIComponent(eventId)}`);
    if (answer.ok) return await answer.json();
    showNote(`The page of ${eventId} cannot be read: ${(await answer.json()).error}`);
  } catch (error) {
    showNote(`The page of ${eventId} cannot be read: the room does not respond.`);
  }
  return { title: "", page: { brand: {}, texts: {}, html: "" }, version: "" };
}

/** Texts of the deployment, in which the event replaces some: a state without a status has them too. */
function mergedTexts(all = {}, texts) {
  const merged = { ...all };
  for (const language of Object.keys(texts)) merged[language] = { ...merged[language], ...texts[language] };
  return merged;
}

async function config(address, options) {
  const found = await (await realFetch(address, options)).json();
  room = new URL(found.public_api, location.href).href; // behind a gate it is a path
  eventId = eventId || found.event_id;
  page = readPage();
  const { brand, texts } = (await page).page;
  const own = { ...found.brand, ...brand, texts: mergedTexts((found.brand || {}).texts, texts) };
  return json(200, { ...found, brand: own, event_id: OWN, store_api: "", openid: "", entrance: "", preview: true });
}

/** Fail as the network of the state does. */
function faulty() {
  if (state.fault === "busy") return json(503, { error: "busy" }, { "Retry-After": "20" });
  if (state.fault === "portal") return new Response("<p>Sign in", { status: 200, headers: { "Content-Type": "text/html" } });
  throw new TypeError("no connection");
}

window.fetch = async (address, options) => {
  const { href, pathname } = new URL(address, location.href);
  if (pathname.endsWith("/config.json")) return config(address, options);
  if (room === null || !href.startsWith(room)) return realFetch(address, options);
  const route = pathname.slice(new URL(room).pathname.length);
  if (route === "/page") return json(200, { ...(await page), event_id: OWN });
  if (state.fault) return faulty();
  const [status, content] = replyOf(state, route, Date.now() / 1000);
  const { version } = await page;
  return json(status, { ...content, ...(route === "/status" && version ? { page: version } : {}), ...(content.error ? {} : { event_id: OWN }) });
};
if (state.fault === "offline") Object.defineProperty(navigator, "onLine", { get: () => false });

// --- toolbar

function showNote(text) {
  document.getElementById("preview-note").textContent = text;
}

function open(next) {
  requested.set("state", next);
  location.search = requested;
}

function toolbar() {
  const names = Object.keys(STATES);
  const bar = document.createElement("form");
  bar.id = "preview";
  bar.lang = "en";
  bar.dir = "ltr";
  bar.setAttribute("aria-label", "Preview");
  bar.innerHTML =
    '<strong>Preview</strong> <label>State <select id="preview-state"></select></label>' +
    '<button type="button" class="small" data-step="-1">Previous</button>' +
    '<button type="button" class="small" data-step="1">Next</button><span id="preview-note" role="status"></span>';
  const select = bar.querySelector("select");
  select.append(...names.map((one) => new Option(STATES[one].label, one, one === name, one === name)));
  select.addEventListener("change", () => open(select.value));
  for (const button of bar.querySelectorAll("button"))
    button.addEventListener("click", () =>
      open(names[(names.indexOf(name) + Number(button.dataset.step) + names.length) % names.length]));
  bar.addEventListener("submit", (event) => event.preventDefault());
  document.body.prepend(bar);
  document.head.append(Object.assign(document.createElement("link"), { rel: "stylesheet", href: "preview.css" }));
}

toolbar();
prepareStorage();
