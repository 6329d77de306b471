// SPDX-License-Identifier: Apache-2.0
/**
 * A visitor's place in a waiting room. It touches no page and has no dependency:
 *
 *   const room = waitingRoom({ eventId: "Sample", publicApi: "https://wait.example/api" });
 *   const stop = room.watch((state) => show(state)); // now, and whenever something changes
 *   await room.join();                               // one place per browser and event
 *   const tokens = await room.token();               // at the turn; null when it is not
 *
 * The state's phase is loading, outside, joining, placing (no number yet), waiting, turn or over.
 * What else is in it: docs/pages.md. Types: waiting-room.d.ts.
 */
import { ending, isId, isOfTheRoom, secondsAsked } from "./responses.js";
import { estimator, soonEnough } from "./estimate.js";
import { aheadAt, nextPoll } from "./policy.js";

const JOIN = "/assign_queue_num";
const TIMEOUT = 10_000; // ms
const JOIN_LOST = 31_000; // ms; API Gateway takes up to 29 s, and its answer may still come later
const MOST_JOINS = 8; // that may have reached the room, before the visitor is asked
const LONGEST_JOIN_PAUSE = 300; // s between two of them
const VISIT = 3_600_000; // ms after which they are forgotten
const LONGEST_PAUSE = 60; // s between two tries, unless the server asks for more
const LONGEST_ASKED = 900; // s that the server can ask for
const FORGOTTEN = 86_400; // s; a join without a number by then is lost
const CHECK_AGAIN = 10_000; // ms between two doubts
const STALE = 60_000; // ms; so long an answer that is older than the last one is not believed
const TRY_STATUS = 300_000; // ms in which a room without /status is not asked for it
const NAP = 15_000; // ms between two looks whether the device slept
const JUMP = 20_000; // ms that the wall clock is then ahead
const LOCK_PATIENCE = 45_000; // ms; more than a join takes
const COUNT = 1000; // ms between two looks at the numbers between polls
const HIDDEN = 50; // s; browsers wake hidden pages once a minute, and a longer pause misses one

/** Seconds to the next try: doubles, and is never less than the server asks. */
export function backOff(failures, retryAfter = 0, random = Math.random()) {
  const pause = Math.min(LONGEST_PAUSE, 2 ** Math.min(failures - 1, 6)) * (0.75 + random / 2);
  return Math.max(pause, Math.min(retryAfter, LONGEST_ASKED) * (1 + random / 4));
}

/** Seconds to the next question for the number; first 1.2, as workers gather joins for one. */
export const askDelay = (asked) => (asked ? Math.min(10, 1.5 ** asked) : 1.2);

const spread = (seconds, random) => seconds * (0.8 + random * 0.4); // ± 20 %

/** Worth trying again; `held`: nothing was asked, as an earlier answer said when to. */
class Trouble extends Error {
  constructor(status = 0, retryAfter = 0, held = false) {
    super(`status ${status}`);
    Object.assign(this, { status, retryAfter, held });
  }
}

function attempt(work) {
  try {
    return work();
  } catch {
    return undefined; // a browser may refuse anything
  }
}

/** What is needed of it; tests bring their own. Storage, crypto and locks may be missing or throw. */
function thisBrowser() {
  return {
    storage: attempt(() => localStorage),
    crypto: attempt(() => crypto),
    locks: attempt(() => navigator.locks),
    fetch: (...given) => fetch(...given),
    now: () => Date.now(),
    clock: () => attempt(() => performance.now()) ?? Date.now(),
    random: () => Math.random(),
    setTimeout: (work, ms) => setTimeout(work, ms),
    clearTimeout: (timer) => clearTimeout(timer),
    hidden: () => document.hidden === true,
    online: () => navigator.onLine !== false,
    on: (name, work) =>
      (name === "visibilitychange" ? document : window).addEventListener(name, work),
  };
}

export function waitingRoom({ eventId, publicApi, browser = thisBrowser() }) {
  const { random } = browser;
  const wall = browser.now; // ms since 1970; may be wrong, and jump
  const tick = browser.clock ?? browser.now; // ms; never set, but may stand still while a device sleeps
  const origin = wall() - tick();
  const time = () => origin + tick(); // ms since 1970, without jumps
  const key = `waiting-room:${eventId}`;
  const pausesKey = `${key}:pauses`;
  const seenKey = `${key}:seen`;
  const event = `event_id=${encodeURIComponent(eventId)}`;
  const listeners = new Set();
  const sleepers = new Set();
  const sure = new Set(); // request ids that the room has confirmed to this page
  const gone = new Set(); // and those that it has ended
  const troubles = {};
  const pauses = {};
  let state = { phase: "loading", kept: true, taken: false, trouble: null };
  let place = null; // as it is stored
  let over = null;
  let joining = null;
  let statusWorks; // false: a room of the AWS solution
  let plainAt = 0;
  let seen = {};
  let acceptedAt = -Infinity;
  let estimate = estimator();
  let checkedAt = -Infinity;
  let foundAt = 0;
  let still = 0; // polls in a row that found that nothing has moved yet
  let counting; // down, between polls
  let askAt = 0;
  let misses = 0;
  let demoted = false;
  let hiddenAt = null;
  let running = 0;
  let woken = 0;

  function tell(listener) {
    try {
      listener(state);
    } catch (error) {
      console.error(error); // the page's, and nobody else's
    }
  }

  function set(change) {
    const trouble = troubles.call || troubles.poll || null;
    const held = Boolean(place && !over);
    state = Object.freeze({ ...state, ...change, held, taken: Boolean(place?.taken), trouble });
    for (const listener of [...listeners]) tell(listener);
  }

  // --- time

  /** Sleep until then, until something wakes the page, or until the device has slept. */
  function sleep(seconds) {
    return new Promise((resolve) => {
      const ends = tick() + seconds * 1000;
      const gap = wall() - tick();
      let timer;
      const finish = () => {
        browser.clearTimeout(timer);
        sleepers.delete(finish);
        resolve();
      };
      const nap = () => {
        const left = ends - tick();
        const slept = wall() - tick() > gap + JUMP;
        if (slept) sure.clear();
        if (slept || left <= 0) return finish();
        timer = browser.setTimeout(nap, Math.ceil(Math.min(left, NAP)));
      };
      sleepers.add(finish);
      if (seconds < Infinity) nap();
    });
  }

  const rest = (seconds) => new Promise((done) => browser.setTimeout(done, seconds * 1000));

  function wake() {
    woken += 1;
    for (const finish of [...sleepers]) finish();
  }

  /** Epoch seconds by the server's clock; null while it has not told them. */
  const serverNow = () => (seen.now ? seen.now + (tick() - acceptedAt) / 1000 : null);

  function troubled(which, { status, retryAfter, held }, failures) {
    const seconds = held ? retryAfter + random() : backOff(failures, retryAfter, random());
    const busy = status === 429 || status === 503;
    const kind = !browser.online() ? "offline" : busy ? "busy" : "unreachable";
    troubles[which] = { kind, retryAt: time() + seconds * 1000 };
    set({});
    return seconds;
  }

  function eased(which) {
    if (!troubles[which]) return;
    troubles[which] = null;
    set({});
  }

  // --- what is stored: never a token

  function load(name) {
    const found = attempt(() => JSON.parse(browser.storage.getItem(name)));
    return typeof found === "object" ? found : null;
  }

  function store(name, value) {
    return attempt(() => (browser.storage.setItem(name, JSON.stringify(value)), true)) ?? false;
  }

  const one = ({ request_id, client_secret, number, taken }) => ({
    request_id, client_secret, number: number > 0 ? number : undefined, taken,
  });

  /** All places that this visitor was given, the one that counts first. */
  const places = (of = place) =>
    [of, ...(Array.isArray(of?.others) ? of.others : [])].filter((found) => isId(found?.request_id));

  /** Of several places the smallest number counts; the rest is kept. */
  function arrange(list, { start, since } = {}) {
    const order = ({ number = Infinity, taken }) => (taken ? 0 : number);
    const [first, ...others] = list.map(one).sort((a, b) => order(a) - order(b) || 0);
    const known = start <= (first.number ?? Infinity) ? start : undefined;
    return { ...first, start: known, since, ...(others.length && { others }) };
  }

  function read() {
    const stored = load(key);
    const [first] = places(stored);
    if (first && first.request_id !== place?.request_id) {
      const theirs = places(stored).filter((found) => !gone.has(found.request_id));
      const ids = new Set(theirs.map((found) => found.request_id));
      const ours = over ? [] : places().filter((found) => !ids.has(found.request_id) && !gone.has(found.request_id));
      if (theirs.length) {
        const met = place;
        place = arrange([...theirs, ...ours], stored);
        if (place.request_id !== met?.request_id) begin();
        if (ours.length) write(place);
      }
    } else if (first) place = arrange(places(stored), stored);
    else if (place) write(place);
    if (over && over.id !== place?.request_id) over = null;
    return place;
  }

  /** Another place than before. */
  function begin() {
    misses = 0;
    foundAt = tick();
    seen = { ...seen, queue: undefined };
    estimate = estimator();
  }

  function write(change) {
    place = change;
    const kept = store(key, place);
    if (kept !== state.kept) set({ kept });
  }

  const has = (id) => places().some((found) => found.request_id === id);

  function change(id, what) {
    read();
    if (has(id))
      write(arrange(places().map((found) => (found.request_id === id ? { ...found, ...what } : found)), place));
  }

  /** A place that a join has brought, maybe late. */
  function adopt(found) {
    read();
    if (has(found.request_id)) return;
    if (place && !over) {
      write(arrange([...places(), found], place));
    } else {
      over = null;
      begin();
      askAt = tick() + spread(askDelay(0), random()) * 1000; // nobody can know it before
      write(arrange([found]));
      set({ phase: "placing", number: undefined });
    }
    wake();
  }

  /** The room has ended a place: another one that it gave counts now, or the visit is over. */
  function drop(id, reason) {
    gone.add(id);
    read();
    const rest = places().filter((found) => !gone.has(found.request_id));
    const visited = ["ended", "session_expired"].includes(reason);
    const last = place.request_id === id && (visited || !rest.length);
    if (last) end(reason);
    else if (has(id)) write(arrange(rest, place));
  }

  // --- pauses: what an answer said about the next question holds for every tab, and after a reload

  function pauseOf(route) {
    const stored = load(pausesKey)?.[route];
    if (stored && stored.until !== pauses[route]?.until) {
      const left = Math.min(stored.until - wall(), stored.seconds * 1000);
      if (left > -VISIT) pauses[route] = { ...stored, ends: tick() + left };
    }
    return pauses[route];
  }

  function hold(route, seconds, status, tries = 0) {
    const pause = { until: Math.round(wall() + seconds * 1000), seconds, status, tries };
    pauses[route] = { ...pause, ends: tick() + seconds * 1000 };
    store(pausesKey, { ...load(pausesKey), [route]: pause });
  }

  function release(route) {
    if (!pauseOf(route)) return;
    delete pauses[route];
    store(pausesKey, { ...load(pausesKey), [route]: undefined });
  }

  /** Nobody asks while an answer forbids it: no timer, no event, no press, no reload. */
  function obey(route) {
    const pause = pauseOf(route);
    const left = pause ? (pause.ends - tick()) / 1000 : 0;
    if (left > 0) throw new Trouble(pause.status, left, true);
  }

  // --- asking

  async function send(address, body, signal) {
    const answer = await browser.fetch(publicApi + address, {
      ...(signal && { signal }),
      ...(body && {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ event_id: eventId, ...body }),
      }),
    });
    const retryAfter = answer.headers.get("Retry-After");
    const content = await answer.json().catch(() => null);
    return { status: answer.status, content, retryAfter };
  }

  const given = (route, found) => isOfTheRoom(route, found, eventId, statusWorks === false);

  /**
   * The room's answer to a GET, or to a POST with a body. Everything else is Trouble. A call that
   * may come `late` is not broken off, and its answer is handed over whenever it comes.
   */
  async function call(route, { query = "", body, late } = {}) {
    obey(route);
    const abort = late ? null : new AbortController();
    const asked = send(route + query, body, abort?.signal);
    let timer;
    const lost = new Promise((_, fail) => {
      timer = browser.setTimeout(() => {
        abort?.abort();
        if (late) asked.then((found) => given(route, found) && late(found)).catch(() => {});
        fail(new Trouble());
      }, late ? JOIN_LOST : TIMEOUT);
    });
    let found;
    try {
      found = await Promise.race([asked, lost]);
    } catch {
      asked.catch(() => {}); // it may fail later, too
      throw new Trouble();
    } finally {
      browser.clearTimeout(timer);
    }
    if (given(route, found)) {
      release(route);
      return found;
    }
    const asks = Math.min(LONGEST_ASKED, secondsAsked(found.retryAfter, (serverNow() ?? wall() / 1000) * 1000));
    if (asks) hold(route, asks, found.status, pauseOf(route)?.tries);
    throw new Trouble(found.status, asks);
  }

  /** An answer that would end something is asked for again. */
  async function twice(work, ends) {
    const first = await work();
    if (!ends(first)) return first;
    await rest(1.5 + random());
    return work();
  }

  /** Try until there is an answer. */
  async function persist(work) {
    for (let failures = 1; ; ) {
      try {
        const found = await work();
        eased("call");
        return found;
      } catch (error) {
        if (!(error instanceof Trouble)) {
          eased("call");
          throw error;
        }
        await sleep(troubled("call", error, failures));
        if (!error.held) failures += 1;
      }
    }
  }

  const about = (route, id) => () => call(route, { query: `?${event}&request_id=${id}` });

  /** /status, or what the AWS solution has instead. */
  async function figures() {
    if (statusWorks === false && tick() > plainAt + TRY_STATUS) statusWorks = undefined;
    if (statusWorks !== false) {
      try {
        const { content } = await call("/status", { query: `?${event}` });
        statusWorks = true;
        return content;
      } catch (error) {
        if (statusWorks || error.held || error.status === 429 || error.status === 503) throw error;
      }
    }
    try {
      const found = await Promise.all(
        ["/serving_num", "/waiting_num"].map((route) => call(route, { query: `?${event}` })),
      );
      if (statusWorks === undefined) plainAt = tick();
      statusWorks = false;
      return { ...found[0].content, ...found[1].content };
    } catch (error) {
      statusWorks = undefined;
      throw error;
    }
  }

  /** Whether figures are older than those that are shown; after a minute of them they count. */
  function isStale({ now, version }) {
    const older = now < seen.now || version < seen.version;
    return older && tick() < acceptedAt + STALE;
  }

  /** Answers whether the place is in doubt. */
  async function look() {
    const found = await figures();
    if (isStale(found)) return false;
    const next = {
      serving: found.serving_counter,
      waiting: Math.max(0, found.waiting_num ?? 0) || 0,
      queue: found.queue_counter,
      rate: found.admission_rate_per_minute,
      message: typeof found.message === "string" ? found.message : "",
    };
    const line = next.queue ?? next.serving;
    const least = next.queue === undefined ? seen.serving : Math.max(place?.number, seen.queue ?? 0);
    const doubtful = line < least && tick() > checkedAt + CHECK_AGAIN;
    seen = {
      ...next,
      before: seen.serving,
      status: found,
      now: found.now,
      version: found.version,
      optimistic: found.optimistic_rate_per_minute,
      movedAt: found.moved_at,
      firstMovedAt: found.first_moved_at ?? undefined,
      every: found.every ?? undefined,
    };
    still = found.moved_at === null ? still + 1 : 0;
    acceptedAt = tick();
    store(seenKey, next);
    const { serving, ...others } = next; // while waiting it goes with the places ahead
    set(state.phase === "waiting" ? others : next);
    return doubtful;
  }

  // --- a step answers the seconds to the next

  async function step() {
    read();
    if (!place) {
      if (!joining) set({ phase: "outside" });
      await look();
      return poll();
    }
    if (over) return end(over.reason);
    if (!(place.number && sure.has(place.request_id)) || othersDue()) {
      const pause = await find();
      if (pause) return pause;
    }
    if (await look()) {
      sure.delete(place.request_id);
      const pause = await find();
      if (pause) return pause;
    }
    if (place.start === undefined || (place.since === undefined && seen.now))
      write({ ...place, start: place.start ?? Math.min(seen.serving, place.number), since: place.since ?? seen.now });
    const ahead = place.number - seen.serving;
    if (ahead > 0 && state.phase === "turn" && !demoted) {
      demoted = true; // a turn is taken back when two answers say so
      return spread(3, random());
    }
    demoted = false;
    const pause = ahead > 0 ? queue(ahead) : await turn();
    return othersWait() ? Math.min(pause, askDelay(misses)) : pause;
  }

  const isOpen = (found) => !sure.has(found.request_id);
  const othersWait = () => !over && misses < 15 && places().slice(1).some(isOpen);
  const othersDue = () => othersWait() && tick() > checkedAt + askDelay(misses) * 1000;

  /** Ask for the numbers that are not known; answers 0 when there is one. */
  async function find() {
    if (tick() < askAt) return (askAt - tick()) / 1000;
    checkedAt = tick();
    for (const { request_id: id, number } of places().filter(isOpen)) {
      const found = await twice(about("/queue_num", id), ending);
      if (!has(id)) return 0.1;
      const reason = ending(found);
      if (reason) drop(id, reason === "unsaid" ? "reset" : reason);
      else if (found.status === 200) {
        sure.add(id);
        change(id, { number: found.content.queue_number });
      } else if (isLost()) drop(id, "reset");
      else if (number) sure.add(id);
      if (over) return Infinity;
    }
    misses += 1;
    if (place.number) return 0;
    set({ phase: "placing", number: undefined });
    if (misses > 5 && serverNow() === null) await look(); // for the server's time
    if (seen.now && place.since === undefined) write({ ...place, since: serverNow() });
    return spread(askDelay(misses), random());
  }

  /** Whether a join without a number is older than a day, by the server's clock or a steady one. */
  const isLost = () =>
    (serverNow() !== null && place.since ? serverNow() - place.since : (tick() - foundAt) / 1000) > FORGOTTEN;

  const poll = (ahead) => nextPoll({ ahead, status: seen.status, random: random(), asked: still - 1 });

  const share = (number, serving, start) =>
    Math.min(1, Math.max(0, (serving - start) / (number - start || 1))) || 0;

  function queue(ahead) {
    const { number } = place;
    const before = state.phase === "waiting" && state.number === number ? state.ahead : undefined;
    const wait = estimate(ahead, seen, tick() / 1000);
    // what was counted down too far waits for the line, unless that is far behind or stands
    const close = ahead > before && ahead - before <= Math.max(3, ahead / 20);
    const back = seen.serving < seen.before || wait.kind === "paused";
    set({ phase: "waiting", number, wait, expiresAt: null, ...shown(close && !back ? before : ahead) });
    browser.clearTimeout(counting);
    counting = browser.setTimeout(countDown, COUNT);
    const overdue = serverNow() - seen.movedAt - seen.every;
    return soonEnough(poll(ahead), { ...seen, ahead, overdue, random: random() });
  }

  /** What changes with the places ahead. */
  function shown(ahead) {
    const { number, start } = place;
    return { ahead, serving: number - ahead, progress: share(number, number - ahead, start) };
  }

  /** Between two polls the numbers follow the rate; without a network they stand still. */
  function countDown() {
    const { phase, number, ahead } = state;
    if (phase !== "waiting" || number !== place?.number || troubles.poll || browser.hidden()) return;
    if (listeners.size === 0) return;
    const secondsSince = (tick() - acceptedAt) / 1000;
    const left = aheadAt({ ahead: number - seen.serving, status: seen.status, secondsSince });
    if (left < ahead) set({ wait: estimate(left, seen, tick() / 1000), ...shown(left) });
    counting = browser.setTimeout(countDown, COUNT);
  }

  async function turn() {
    const { request_id: id } = place;
    set({ phase: "turn", number: place.number, serving: seen.serving, ahead: 0, wait: null, progress: 1 });
    if (place.taken) {
      set({ expiresAt: null });
      return 60;
    }
    const found = await twice(about("/queue_pos_expiry", id), ending);
    if (place.taken || !has(id)) return 0;
    if (ending(found)) {
      drop(id, await why(found, id));
      return over ? Infinity : 0;
    }
    const left = found.status === 200 ? found.content.expires_in : null;
    set({ expiresAt: left === null ? null : time() + left * 1000 });
    return Math.min(30, (left ?? 30) + 1.5) * (1 + random() / 5);
  }

  /** Where the room gives no reason, only the number's own answer tells a reset from the rest. */
  async function why(found, id) {
    if (ending(found) !== "unsaid") return ending(found);
    if (ending(await about("/queue_num", id)())) return "reset";
    return place.taken ? "ended" : "expired";
  }

  function end(reason) {
    over = { id: place.request_id, reason };
    set({ phase: "over", reason, number: place.number, expiresAt: null });
    return Infinity;
  }

  /** What was known before a reload, when the room does not answer. */
  function restore() {
    if (!read()) return;
    const { number, start = 0 } = place;
    const { serving, waiting, queue: line } = load(seenKey) ?? {};
    const ahead = number - serving;
    if (!number) set({ phase: "placing", number });
    else if (ahead <= 0) set({ phase: "turn", number, ahead: 0, wait: null, progress: 1, expiresAt: null });
    else
      set({
        phase: "waiting", number, serving, waiting, queue: line, expiresAt: null,
        ahead: ahead > 0 ? ahead : undefined,
        wait: { kind: "unknown" },
        progress: share(number, serving, start),
      });
  }

  /** Hidden pages ask, too, no more than once a minute. */
  function hiddenPause(pause) {
    if (!place || over) return Infinity;
    return pause < HIDDEN * 1.6 ? HIDDEN - 3 + random() * 6 : pause;
  }

  async function run(turnOf) {
    for (let failures = 0; turnOf === running; ) {
      const before = woken;
      let pause;
      try {
        pause = await step();
        failures = 0;
        eased("poll");
      } catch (error) {
        if (!(error instanceof Trouble)) console.error(error);
        if (!error.held) failures += 1;
        pause = error instanceof Trouble ? troubled("poll", error, failures) : backOff(failures);
        if (state.phase === "loading") restore();
      }
      if (browser.hidden()) pause = hiddenPause(pause);
      if (before === woken && turnOf === running) await sleep(pause);
    }
  }

  // --- joining

  async function newSecret() {
    try {
      const hex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
      const secret = hex(browser.crypto.getRandomValues(new Uint8Array(32)));
      const digest = await browser.crypto.subtle.digest("SHA-256", new TextEncoder().encode(secret));
      return { secret, hash: hex(new Uint8Array(digest)) };
    } catch {
      return {}; // an insecure address, or a browser that refuses
    }
  }

  /** One tab at a time; where locks are missing, refused or stuck: without. */
  function locked(work) {
    return new Promise((resolve, reject) => {
      let begun = false;
      const start = () => {
        if (begun) return undefined;
        begun = true;
        browser.clearTimeout(timer);
        const done = work();
        done.then(resolve, reject);
        return done.catch(() => {});
      };
      const timer = browser.setTimeout(start, LOCK_PATIENCE);
      try {
        Promise.resolve(browser.locks.request(key, start)).catch(start);
      } catch {
        start();
      }
    });
  }

  /** One try to take a place: it never waits for the next one here, where it holds the lock. */
  async function take(visit) {
    read();
    if (place && !over) return; // taken
    obey(JOIN);
    if (pauseOf(JOIN)?.tries) await figures(); // an outage costs no joins
    let { secret, hash } = await newSecret();
    const refused = ({ status }) => status === 400 && "refused";
    const ask = (body) => () => join(visit, body, secret);
    let found = await twice(ask({ client_secret_hash: hash }), refused);
    if (refused(found) && hash) {
      secret = undefined; // a room that knows no such thing
      found = await twice(ask({}), refused);
    }
    if (refused(found)) throw new Error(found.content.error ?? found.content.message);
    adopt({ request_id: found.content.api_request_id, client_secret: secret });
  }

  /** A join that may have reached the room is not repeated soon, and not without end. */
  async function join(visit, body, client_secret) {
    const tries = pauseOf(JOIN)?.tries ?? 0;
    const late = ({ status, content }) =>
      status === 200 && adopt({ request_id: content.api_request_id, client_secret });
    try {
      return await call(JOIN, { body, late });
    } catch (error) {
      const { status, retryAfter, held } = error;
      if (held || !browser.online()) throw error;
      const sent = status !== 429 && status !== 503;
      if (!sent) visit.refused += 1;
      const growing = Math.min(LONGEST_JOIN_PAUSE, 5 * 2 ** tries) * (0.75 + random() / 2);
      const pause = sent
        ? Math.max(growing, retryAfter)
        : backOff(visit.refused, retryAfter, random());
      hold(JOIN, pause, status, tries + sent);
      if (sent && tries + 1 >= MOST_JOINS) throw new Error("no answer to the join");
      throw new Trouble(status, pause, true);
    }
  }

  browser.on("storage", (changed) => changed.key === key && wake());
  browser.on("online", wake);
  browser.on("pageshow", (shown) => {
    if (!shown?.persisted) return;
    sure.clear(); // Back: the page stood still
    wake();
  });
  browser.on("visibilitychange", () => {
    if (browser.hidden()) {
      hiddenAt = hiddenAt ?? tick();
      return;
    }
    if (hiddenAt !== null && tick() > hiddenAt + 60_000) sure.clear();
    hiddenAt = null;
    wake();
  });

  return {
    /** Call `listener` with the state; answers how to stop. */
    watch(listener) {
      listeners.add(listener);
      tell(listener);
      if (listeners.size === 1) run((running += 1));
      return () => {
        listeners.delete(listener);
        if (listeners.size === 0) {
          running += 1;
          wake();
        }
      };
    },
    /** Take a place, unless this browser has one. */
    join() {
      const visit = { refused: 0 };
      const work = async () => {
        if (!read() || over) set({ phase: "joining" });
        try {
          await persist(() => locked(() => take(visit)));
        } finally {
          joining = null;
          if (!place) set({ phase: "outside" }); // before the caller hears why
          else if (over) end(over.reason);
          wake();
        }
      };
      joining = joining ?? Promise.resolve().then(work);
      return joining;
    },
    /** The token set as the API answers it; null when it is not the turn. */
    async token() {
      if (!read()) return null;
      const { request_id, client_secret } = place;
      const found = await persist(() =>
        twice(() => call("/generate_token", { body: { request_id, client_secret } }), ending),
      );
      if (found.status === 200) {
        change(request_id, { taken: true });
        set({ expiresAt: null });
        return found.content;
      }
      if (ending(found)) drop(request_id, await persist(() => why(found, request_id)));
      wake();
      return null;
    },
    /** For an OpenID provider's /authorize/continue. */
    proof: () => ({ request_id: place?.request_id, client_secret: place?.client_secret }),
    /** The time of `expiresAt` and `retryAt`: ms since 1970, by a clock that does not jump. */
    now: time,
    /** Ask now, unless the server said when. */
    retry: wake,
  };
}
