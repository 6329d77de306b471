// SPDX-License-Identifier: Apache-2.0
// Shows what waiting-room.js knows, and does what the visitor asks.
import { backOff, waitingRoom } from "./waiting-room.js";
import {
  LANGUAGES, announcer, fill, formats, pickLanguage, titleOf, troubleText, variables, waitText,
} from "./view.js";

const $ = (id) => document.getElementById(id);
const pause = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));
const CHOICE = "waiting-room:language";
const transaction = new URLSearchParams(location.search).get("transaction");
const announce = announcer();
let config, words, form, room, stop;
let state = { phase: "loading" };
let tokens = null; // in memory only
let receipt = null;
let shown = ""; // the section that is seen
let leaving = false;
let audio = null;

// --- words and brand

function chosen() {
  let kept = null;
  try {
    kept = localStorage.getItem(CHOICE);
  } catch {
    // blocked
  }
  return LANGUAGES[kept] ? kept : pickLanguage(navigator.languages ?? [navigator.language]);
}

async function load(work) {
  for (let tries = 1; ; tries += 1) {
    try {
      return await work(tries);
    } catch {
      if (words) $("trouble-text").textContent = words.unreachable;
      $("trouble").hidden = !words;
      await pause(backOff(tries));
    }
  }
}

async function speak(language) {
  const { default: found } = await load((tries) =>
    import(`./words/${language}.js${tries > 1 ? `?${tries}` : ""}`),
  );
  const own = config?.brand?.texts ?? {};
  words = { ...found, ...own["*"], ...own[language] };
  form = formats(language);
  document.documentElement.lang = language;
  $("language").value = language;
  for (const part of document.querySelectorAll("[data-word]"))
    part.textContent = words[part.dataset.word];
  render();
}

function paint() {
  const { name, logo, colors, colors_dark } = config.brand ?? {};
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const { style } = document.documentElement;
  style.cssText = "";
  const set = variables(dark ? (colors_dark ?? { accent: colors?.accent }) : colors);
  for (const [part, colour] of set) style.setProperty(`--${part}`, colour);
  $("name").textContent = name ?? "";
  $("logo").hidden = !logo;
  if (logo) $("logo").src = logo;
}

// --- what is seen

const view = () =>
  receipt ? "receipt"
  : tokens && !leaving ? "inside"
  : state.phase === "joining" ? "placing"
  : state.phase;

function render() {
  if (!words) return;
  const now = view();
  const before = now === "waiting" ? Math.max(0, state.ahead - 1) : undefined;
  for (const part of document.querySelectorAll("[data-value]")) {
    const text = form.number(part.dataset.value === "before" ? before : state[part.dataset.value]);
    if (part.textContent !== text) part.textContent = text;
    part.classList.toggle("long", text.length > 6);
  }
  $("placing").textContent = words[state.phase === "joining" ? "loading" : "placing"];
  $("wait").textContent = waitText(state, words, form);
  $("progress").value = state.progress ?? 0;
  $("progress").setAttribute("aria-label", words.place);
  $("not-kept").hidden = state.kept !== false;
  $("checkout").hidden = goesBack();
  $("leaving").hidden = !goesBack();
  [$("over-title").textContent, $("over-text").textContent] = words[state.reason] ?? ["", ""];
  $("message").hidden = !state.message;
  $("message-text").textContent = state.message ?? "";
  $("trouble").hidden = !state.trouble;
  $("trouble-text").textContent = troubleText(state, words);
  document.title = titleOf({ ...state, phase: now }, words, form, config?.brand?.name || "…");
  say(announce({ ...state, phase: now }, words, form));
  tick();
  if (now !== shown) show(now);
}

function show(now) {
  const busy = document.activeElement;
  const lost = busy === document.body || busy.closest("section");
  for (const part of document.querySelectorAll("section")) part.hidden = part.dataset.view !== now;
  if (shown && shown !== "loading" && lost) document.querySelector("section:not([hidden]) h1").focus();
  shown = now;
  fail("");
  if (now === "turn") call();
}

function say(text) {
  if (text) $("live").textContent = text;
}

function fail(word) {
  $("failure").hidden = !word;
  $("failure").textContent = word && words[word];
  if (word) say(words[word]);
}

function tick() {
  const left = shown === "turn" && state.expiresAt ? (state.expiresAt - room.now()) / 1000 : null;
  $("held").hidden = left === null;
  if (left === null) return;
  const text = fill(words.held, { time: form.clock(left) });
  $("held").textContent = text;
  if ([300, 60].includes(Math.ceil(left))) say(text);
}

// --- the turn

function chime() {
  [523, 659, 784].forEach((pitch, step) => {
    const at = audio.currentTime + step / 5;
    const note = audio.createOscillator();
    const gain = audio.createGain();
    note.frequency.value = pitch;
    gain.gain.setValueAtTime(0.2, at);
    gain.gain.exponentialRampToValueAtTime(0.001, at + 0.6);
    note.connect(gain).connect(audio.destination);
    note.start(at);
    note.stop(at + 0.6);
  });
}

function notify(body) {
  try {
    new Notification(config.brand?.name || document.title, { body, tag: CHOICE });
  } catch {
    // none here: the sound has to do
  }
}

function call() {
  if ($("alert").checked) {
    chime();
    if (document.hidden) notify(words.turn_title);
  }
  if (goesBack()) goBack();
}

/** Whether an OpenID client takes the visitor in. */
const goesBack = () => Boolean(transaction && config?.openid);

async function goBack() {
  if (leaving || document.hidden || view() !== "turn") return;
  leaving = true;
  try {
    const last = JSON.parse(sessionStorage.getItem("back") ?? "[0,0]");
    const tries = Date.now() - last[0] < 120_000 ? last[1] : 0;
    sessionStorage.setItem("back", JSON.stringify([Date.now(), tries + 1]));
    if (tries) await pause(backOff(tries)); // it is busy
  } catch {
    await pause(2);
  }
  if (!(await room.token())) {
    leaving = false;
    return;
  }
  const leave = document.createElement("form");
  leave.method = "post";
  leave.action = `${config.openid}/authorize/continue`;
  for (const [name, value] of Object.entries({ transaction, ...room.proof() })) {
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
    fail("");
    const name = button.dataset.word;
    button.textContent = words.loading;
    try {
      await work();
    } catch {
      fail("failed");
    }
    button.removeAttribute("aria-disabled");
    button.textContent = words[name];
    render();
  });
}

async function checkOut() {
  tokens = await room.token();
  if (tokens) stop?.();
}

async function purchase() {
  for (let tries = 1; ; tries += 1) {
    const answer = await fetch(`${config.store_api}/checkout`, {
      headers: { Authorization: tokens.access_token },
    }).catch(() => null);
    if (answer?.ok) {
      receipt = await answer.json();
      return showReceipt();
    }
    const refused = [401, 403].includes(answer?.status);
    if (refused) {
      tokens = null; // its time is over: back to the turn, which knows more
      start();
    }
    if (refused || tries === 3) return fail("failed");
    await pause(backOff(tries));
  }
}

function showReceipt() {
  const { currency } = config.brand ?? {};
  const lines = [
    [words.order, receipt.order_id],
    ...(receipt.items ?? []).map((item) => [item.name, form.money(item.price_cents, currency)]),
    [words.total, form.money(receipt.total_cents, currency)],
  ];
  $("items").replaceChildren(
    ...lines.map((line) => {
      const row = document.createElement("div");
      for (const [at, text] of line.entries())
        row.append(Object.assign(document.createElement(at ? "dd" : "dt"), { textContent: text }));
      return row;
    }),
  );
}

// --- start

function start() {
  stop = room.watch((now) => {
    state = now;
    render();
    if (goesBack() && now.phase === "outside" && !state.trouble) room.join().catch(() => fail("failed"));
  });
}

for (const language in LANGUAGES)
  $("language").append(Object.assign(new Option(LANGUAGES[language], language), { lang: language }));
$("language").addEventListener("change", async ({ target }) => {
  try {
    localStorage.setItem(CHOICE, target.value);
  } catch {
    // for this visit
  }
  await speak(target.value);
  if (receipt) showReceipt();
});
onClick("enter", () => room.join());
onClick("again", () => room.join());
onClick("checkout", checkOut);
onClick("purchase", purchase);
$("retry").addEventListener("click", () => room?.retry());
$("alert").addEventListener("change", ({ target }) => {
  room.watchHidden(target.checked);
  if (!target.checked) return;
  audio ??= new AudioContext();
  chime();
  window.Notification?.requestPermission();
});
document.addEventListener("visibilitychange", () => goesBack() && goBack());
addEventListener("pageshow", () => leaving && location.reload()); // they came back
setInterval(tick, 1000);

await speak(chosen());
config = await load(async () => {
  const answer = await fetch("config.json", { cache: "no-cache" });
  if (!answer.ok) throw answer;
  return answer.json();
});
$("trouble").hidden = true;
paint();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);
if (config.brand?.texts) await speak(chosen());
room = waitingRoom({ eventId: config.event_id, publicApi: config.public_api });
start();
