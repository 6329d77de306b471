// SPDX-License-Identifier: Apache-2.0
/**
 * Client of the public API for one visitor. It does not access the document and has no dependency:
 *
 *   const room = waitingRoom({ eventId: "Sample", publicApi: "https://wait.example/api" });
 *   const stop = room.watch((state) => show(state)); // called now and after every change
 *   await room.join();                               // one position per browser and event
 *   const tokens = await room.token();               // null while the visitor is not served
 *
 * The state's phase is loading, outside, joining, placing (no number yet), waiting, turn or over. Its
 * member `event` has the phase of the event.
 * docs/pages.md describes all members. Types: waiting-room.d.ts.
 */
import { ending, isId, isOfTheRoom, isPortal, retryAfterSeconds } from "./responses.js";
import { estimator, capPause } from "./estimate.js";
import { acceptsJoins, awaitsOpening, eventOf, nextOpening } from "./event.js";
import { aheadAt, nextPoll } from "./policy.js";

const JOIN = "/assign_queue_num";
const TIMEOUT = 10_000; // ms
const JOIN_TIMEOUT = 31_000; // ms; API Gateway takes up to 29 s, and its response may still arrive later
const MAX_JOINS = 8; // joins that may have reached the room, before the page asks the visitor
const MAX_JOIN_PAUSE = 300; // s between two joins
const PAUSE_LIFETIME = 3_600_000; // ms after which stored pauses are ignored
const MAX_PAUSE = 60; // s between two attempts, unless the server sets a longer pause
const MAX_RETRY_AFTER = 900; // s; maximum Retry-After
const JOIN_LIFETIME = 86_400; // s; a join without a number after this time is lost
const RECHECK_INTERVAL = 10_000; // ms between two checks of a doubtful position
const MAX_STALE = 60_000; // ms for which a response that is older than the last one is ignored
const STATUS_RETRY = 300_000; // ms until /status is tried again in a room without it
const SLEEP_CHECK = 15_000; // ms between two checks whether the device slept
const CLOCK_JUMP = 20_000; // ms; a larger jump of the wall clock means that the device slept
const LOCK_TIMEOUT = 45_000; // ms; longer than a join takes
const COUNTDOWN_INTERVAL = 1000; // ms between two updates of the numbers between polls
const UNKNOWN_EVENT = Object.freeze({ phase: "unknown" }); // instead of a response of /status
const HIDDEN_INTERVAL = 50; // s; browsers wake hidden pages once a minute, and a longer pause would miss one

/** Seconds to the next attempt: doubles, and is never less than `retryAfter`. */
export function backOff(failures, retryAfter = 0, random = Math.random()) {
  const pause = Math.min(MAX_PAUSE, 2 ** Math.min(failures - 1, 6)) * (0.75 + random / 2);
  return Math.max(pause, Math.min(retryAfter, MAX_RETRY_AFTER) * (1 + random / 4));
}

/** Seconds to the next poll for the number; first 1.2, because workers batch joins for a second. */
export const askDelay = (asked) => (asked ? Math.min(10, 1.5 ** asked) : 1.2);

const spread = (seconds, random) => seconds * (0.8 + random * 0.4); // ± 20 %

/**
 * A retryable error. `held`: no call was made, because an earlier response set a pause. `portal`: the
 * network answered instead of the room.
 */
class Trouble extends Error {
  constructor(status = 0, retryAfter = 0, { held = false, portal = false } = {}) {
    super(`status ${status}`);
    Object.assign(this, { status, retryAfter, held, portal });
  }
}

function attempt(work) {
  try {
    return work();
  } catch {
    return undefined; // a browser may reject any call
  }
}

/** Browser functions in use; tests replace them. Storage, crypto and locks may be missing or throw. */
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
  const wall = browser.now; // ms since 1970; may be wrong and may jump
  const tick = browser.clock ?? browser.now; // ms; monotonic, but may stop while the device sleeps
  const origin = wall() - tick();
  const time = () => origin + tick(); // ms since 1970, without jumps
  const key = `waiting-room:${eventId}`;
  const pausesKey = `${key}:pauses`;
  const seenKey = `${key}:seen`;
  const event = `event_id=${encodeURIComponent(eventId)}`;
  const listeners = new Set();
  const sleepers = new Set();
  const confirmed = new Set(); // request ids that the room has confirmed
  const endedIds = new Set(); // request ids that the room has ended
  const troubles = {};
  const pauses = {};
  let state = { phase: "loading", kept: true, taken: false, trouble: null };
  let position = null; // as stored
  let over = null;
  let joining = null;
  let statusWorks; // false: a room of the AWS solution
  let plainAt = 0;
  let seen = {};
  let acceptedAt = -Infinity;
  let estimate = estimator();
  let checkedAt = -Infinity;
  let foundAt = 0;
  let idlePolls = 0; // successive polls before the first move
  let counting; // timer of the countdown between polls
  let askAt = 0;
  let misses = 0;
  let demoted = false;
  let hiddenAt = null;
  let running = 0;
  let woken = 0;

  function notify(listener) {
    try {
      listener(state);
    } catch (error) {
      console.error(error); // an error of the listener affects nothing else
    }
  }

  function set(change) {
    const trouble = troubles.call || troubles.poll || null;
    const held = Boolean(position && !over);
    state = Object.freeze({ ...state, ...change, held, taken: Boolean(position?.taken), trouble });
    for (const listener of [...listeners]) notify(listener);
  }

  // --- time

  /** Sleep; ends early if something wakes the page or the device has slept. */
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
        const slept = wall() - tick() > gap + CLOCK_JUMP;
        if (slept) confirmed.clear();
        if (slept || left <= 0) return finish();
        timer = browser.setTimeout(nap, Math.ceil(Math.min(left, SLEEP_CHECK)));
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

  /** Epoch seconds by the server's clock; null while unknown. */
  const serverNow = () => (seen.now ? seen.now + (tick() - acceptedAt) / 1000 : null);

  function reportTrouble(which, { status, retryAfter, held, portal }, failures) {
    const seconds = held ? retryAfter + random() : backOff(failures, retryAfter, random());
    const busy = status === 429 || status === 503;
    const kind = !browser.online() ? "offline" : portal ? "portal" : busy ? "busy" : "unreachable";
    troubles[which] = { kind, retryAt: time() + seconds * 1000 };
    set({});
    return seconds;
  }

  function clearTrouble(which) {
    if (!troubles[which]) return;
    troubles[which] = null;
    set({});
  }

  // --- storage: never a token

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

  /** All positions of this visitor; the first one counts. */
  const positions = (of = position) =>
    [of, ...(Array.isArray(of?.others) ? of.others : [])].filter((found) => isId(found?.request_id));

  /** Order positions: the lowest number counts; the others stay stored. */
  function arrange(list, { start, since } = {}) {
    const order = ({ number = Infinity, taken }) => (taken ? 0 : number);
    const [first, ...others] = list.map(one).sort((a, b) => order(a) - order(b) || 0);
    const known = start <= (first.number ?? Infinity) ? start : undefined;
    return { ...first, start: known, since, ...(others.length && { others }) };
  }

  function read() {
    const stored = load(key);
    const [first] = positions(stored);
    if (first && first.request_id !== position?.request_id) {
      const theirs = positions(stored).filter((found) => !endedIds.has(found.request_id));
      const ids = new Set(theirs.map((found) => found.request_id));
      const ours = over ? [] : positions().filter((found) => !ids.has(found.request_id) && !endedIds.has(found.request_id));
      if (theirs.length) {
        const met = position;
        position = arrange([...theirs, ...ours], stored);
        if (position.request_id !== met?.request_id) startPosition();
        if (ours.length) write(position);
      }
    } else if (first) position = arrange(positions(stored), stored);
    else if (position) write(position);
    if (over && over.id !== position?.request_id) over = null;
    return position;
  }

  /** Initialise the state for a new position. */
  function startPosition() {
    misses = 0;
    foundAt = tick();
    seen = { ...seen, queue: undefined };
    estimate = estimator();
  }

  function write(change) {
    position = change;
    const kept = store(key, position);
    if (kept !== state.kept) set({ kept });
  }

  const has = (id) => positions().some((found) => found.request_id === id);

  function change(id, what) {
    read();
    if (has(id))
      write(arrange(positions().map((found) => (found.request_id === id ? { ...found, ...what } : found)), position));
  }

  /** Store a position that a join returned, possibly late. */
  function adopt(found) {
    read();
    if (has(found.request_id)) return;
    if (position && !over) {
      write(arrange([...positions(), found], position));
    } else {
      over = null;
      startPosition();
      askAt = tick() + spread(askDelay(0), random()) * 1000; // the number is not available earlier
      write(arrange([found]));
      set({ phase: "placing", number: undefined });
    }
    wake();
  }

  /** The room has ended a position: the next one counts, or the visitor's state is over. */
  function drop(id, reason) {
    endedIds.add(id);
    read();
    const rest = positions().filter((found) => !endedIds.has(found.request_id));
    const visited = ["ended", "session_expired"].includes(reason);
    const last = position.request_id === id && (visited || !rest.length);
    if (last) endPosition(reason);
    else if (has(id)) write(arrange(rest, position));
  }

  // --- pauses: Retry-After applies to every tab, also after a reload

  function pauseOf(route) {
    const stored = load(pausesKey)?.[route];
    if (stored && stored.until !== pauses[route]?.until) {
      const left = Math.min(stored.until - wall(), stored.seconds * 1000);
      if (left > -PAUSE_LIFETIME) pauses[route] = { ...stored, ends: tick() + left };
    }
    return pauses[route];
  }

  function setPause(route, seconds, status, tries = 0) {
    const pause = { until: Math.round(wall() + seconds * 1000), seconds, status, tries };
    pauses[route] = { ...pause, ends: tick() + seconds * 1000 };
    store(pausesKey, { ...load(pausesKey), [route]: pause });
  }

  function clearPause(route) {
    if (!pauseOf(route)) return;
    delete pauses[route];
    store(pausesKey, { ...load(pausesKey), [route]: undefined });
  }

  /** Throw while a pause of the route lasts: it applies to timers, events, presses and reloads. */
  function checkPause(route) {
    const pause = pauseOf(route);
    const left = pause ? (pause.ends - tick()) / 1000 : 0;
    if (left > 0) throw new Trouble(pause.status, left, { held: true });
  }

  // --- calls

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
    const { status, url } = answer;
    const portal = isPortal({ status, url, type: answer.headers.get("Content-Type") }, publicApi);
    return { status, content, retryAfter, portal };
  }

  const given = (route, found) => isOfTheRoom(route, found, eventId, statusWorks === false);

  /**
   * Call a route: GET, or POST with a body. Throws Trouble for everything that is not a response of
   * the room. With `late`, a call that times out is not aborted; `late` gets its response.
   */
  async function call(route, { query = "", body, late } = {}) {
    checkPause(route);
    const abort = late ? null : new AbortController();
    const asked = send(route + query, body, abort?.signal);
    let timer;
    const lost = new Promise((_, fail) => {
      timer = browser.setTimeout(() => {
        abort?.abort();
        if (late) asked.then((found) => given(route, found) && late(found)).catch(() => {});
        fail(new Trouble());
      }, late ? JOIN_TIMEOUT : TIMEOUT);
    });
    let found;
    try {
      found = await Promise.race([asked, lost]);
    } catch {
      asked.catch(() => {}); // it may still fail later
      throw new Trouble();
    } finally {
      browser.clearTimeout(timer);
    }
    if (given(route, found)) {
      clearPause(route);
      return found;
    }
    const asks = Math.min(MAX_RETRY_AFTER, retryAfterSeconds(found.retryAfter, (serverNow() ?? wall() / 1000) * 1000));
    if (asks) setPause(route, asks, found.status, pauseOf(route)?.tries);
    throw new Trouble(found.status, asks, found);
  }

  /** Repeat the call if its response would end something; the second response counts. */
  async function confirmTwice(work, ends) {
    const first = await work();
    if (!ends(first)) return first;
    await rest(1.5 + random());
    return work();
  }

  /** Retry until there is a response. */
  async function retryUntilDone(work) {
    for (let failures = 1; ; ) {
      try {
        const found = await work();
        clearTrouble("call");
        return found;
      } catch (error) {
        if (!(error instanceof Trouble)) {
          clearTrouble("call");
          throw error;
        }
        await sleep(reportTrouble("call", error, failures));
        if (!error.held) failures += 1;
      }
    }
  }

  const visitorCall = (route, id) => () => call(route, { query: `?${event}&request_id=${id}` });

  /** Read /status, or the equivalent routes of the AWS solution. */
  async function readStatus() {
    if (statusWorks === false && tick() > plainAt + STATUS_RETRY) statusWorks = undefined;
    if (statusWorks !== false) {
      try {
        const ask = () => call("/status", { query: `?${event}` });
        const { status, content } = await confirmTwice(ask, (found) => found.status === 400);
        statusWorks = true;
        return status === 400 ? UNKNOWN_EVENT : content;
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

  /** Return whether a response is older than the one shown; after MAX_STALE it counts anyway. */
  function isStale({ now, version }) {
    const older = now < seen.now || version < seen.version;
    return older && tick() < acceptedAt + MAX_STALE;
  }

  /** Poll the status; returns whether the position is doubtful. */
  async function refresh() {
    const found = await readStatus();
    if (found === UNKNOWN_EVENT) return showUnknown();
    if (isStale(found)) return false;
    const next = {
      serving: found.serving_counter,
      waiting: Math.max(0, found.waiting_num ?? 0) || 0,
      queue: found.queue_counter,
      rate: found.admission_rate_per_minute,
      message: typeof found.message === "string" ? found.message : "",
    };
    const line = next.queue ?? next.serving;
    const least = next.queue === undefined ? seen.serving : Math.max(position?.number, seen.queue ?? 0);
    const doubtful = line < least && tick() > checkedAt + RECHECK_INTERVAL;
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
    idlePolls = found.moved_at === null ? idlePolls + 1 : 0;
    acceptedAt = tick();
    store(seenKey, next);
    const event = eventOf(found, state.event);
    const { serving, ...others } = next; // while waiting it changes with the positions ahead
    set({ ...(state.phase === "waiting" ? others : next), event });
    return doubtful;
  }

  /** The event does not exist, or no longer: its positions are doubtful. */
  function showUnknown() {
    if (position && seen.serving === undefined && confirmed.has(position.request_id)) throw new Trouble(400);
    seen = { ...seen, status: UNKNOWN_EVENT };
    set({ event: eventOf(UNKNOWN_EVENT) });
    return tick() > checkedAt + RECHECK_INTERVAL;
  }

  // --- steps: each returns the seconds to the next one

  async function step() {
    read();
    if (!position) {
      if (!joining && state.event) set({ phase: "outside" });
      await refresh();
      if (!joining && !position) set({ phase: "outside" }); // only now its phase is known
      return poll();
    }
    if (over) return stayOver();
    if (!(position.number && confirmed.has(position.request_id)) || othersDue()) {
      const pause = await readNumbers();
      if (pause) return pause;
    }
    if (await refresh()) {
      confirmed.delete(position.request_id);
      const pause = await readNumbers();
      if (pause) return pause;
    }
    if (position.start === undefined || (position.since === undefined && seen.now))
      write({ ...position, start: position.start ?? Math.min(seen.serving, position.number), since: position.since ?? seen.now });
    const ahead = position.number - seen.serving;
    if (ahead > 0 && state.phase === "turn" && !demoted) {
      demoted = true; // a turn ends only after two responses
      return spread(3, random());
    }
    demoted = false;
    const pause = ahead > 0 ? showWaiting(ahead) : await showTurn();
    return othersWait() ? Math.min(pause, askDelay(misses)) : pause;
  }

  const isOpen = (found) => !confirmed.has(found.request_id);
  const othersWait = () => !over && misses < 15 && positions().slice(1).some(isOpen);
  const othersDue = () => othersWait() && tick() > checkedAt + askDelay(misses) * 1000;

  /** Read the unknown numbers; returns 0 if there is one, otherwise the seconds to the next poll. */
  async function readNumbers() {
    if (tick() < askAt) return (askAt - tick()) / 1000;
    checkedAt = tick();
    for (const { request_id: id, number } of positions().filter(isOpen)) {
      const found = await confirmTwice(visitorCall("/queue_num", id), ending);
      if (!has(id)) return 0.1;
      const reason = ending(found);
      if (reason) drop(id, reason === "unsaid" ? "reset" : reason);
      else if (found.status === 200) {
        confirmed.add(id);
        change(id, { number: found.content.queue_number });
      } else if (isLost()) drop(id, "reset");
      else if (number) confirmed.add(id);
      if (over) return stayOver();
    }
    misses += 1;
    if (position.number) return 0;
    set({ phase: "placing", number: undefined });
    if (misses > 5 && serverNow() === null) await refresh(); // to get the server's time
    if (seen.now && position.since === undefined) write({ ...position, since: serverNow() });
    return spread(askDelay(misses), random());
  }

  /** Return whether a join without a number is older than JOIN_LIFETIME. */
  const isLost = () =>
    (serverNow() !== null && position.since ? serverNow() - position.since : (tick() - foundAt) / 1000) > JOIN_LIFETIME;

  const poll = (ahead) => nextPoll({ ahead, status: seen.status, random: random(), asked: idlePolls - 1 });

  const share = (number, serving, start) =>
    Math.min(1, Math.max(0, (serving - start) / (number - start || 1))) || 0;

  function showWaiting(ahead) {
    const { number } = position;
    const before = state.phase === "waiting" && state.number === number ? state.ahead : undefined;
    const wait = waitFor(ahead);
    // if the countdown is slightly ahead of the queue, keep its number until the queue has caught up
    const close = ahead > before && ahead - before <= Math.max(3, ahead / 20);
    const back = seen.serving < seen.before || wait.kind === "paused";
    set({ phase: "waiting", number, wait, expiresAt: null, ...shown(close && !back ? before : ahead) });
    browser.clearTimeout(counting);
    counting = browser.setTimeout(countDown, COUNTDOWN_INTERVAL);
    if (state.event.phase !== "open" && state.event.phase !== "draining") return poll(ahead);
    const overdue = serverNow() - seen.movedAt - seen.every;
    return capPause(poll(ahead), { ...seen, ahead, overdue, random: random() });
  }

  /** The wait for a number of positions: by the phase of the event, else estimated. */
  function waitFor(ahead) {
    const { event } = state;
    if (awaitsOpening(event)) return { kind: "opening", opensAt: nextOpening(event) };
    if (event.phase === "paused" || event.phase === "closed") return { kind: "paused" };
    return estimate(ahead, seen, tick() / 1000);
  }

  /** Members of the state that depend on the positions ahead. */
  function shown(ahead) {
    const { number, start } = position;
    return { ahead, serving: number - ahead, progress: share(number, number - ahead, start) };
  }

  /** Update the numbers by the rate between two polls; they stop without a network. */
  function countDown() {
    const { phase, number, ahead } = state;
    if (phase !== "waiting" || number !== position?.number || troubles.poll || browser.hidden()) return;
    if (listeners.size === 0) return;
    const secondsSince = (tick() - acceptedAt) / 1000;
    const left = aheadAt({ ahead: number - seen.serving, status: seen.status, secondsSince });
    if (left < ahead) set({ wait: waitFor(left), ...shown(left) });
    counting = browser.setTimeout(countDown, COUNTDOWN_INTERVAL);
  }

  async function showTurn() {
    const { request_id: id } = position;
    set({ phase: "turn", number: position.number, serving: seen.serving, ahead: 0, wait: null, progress: 1 });
    if (position.taken) {
      set({ expiresAt: null });
      return 60;
    }
    const found = await confirmTwice(visitorCall("/queue_pos_expiry", id), ending);
    if (position.taken || !has(id)) return 0;
    if (ending(found)) {
      drop(id, await endReason(found, id));
      return over ? Infinity : 0;
    }
    const left = found.status === 200 ? found.content.expires_in : null;
    set({ expiresAt: left === null ? null : time() + left * 1000 });
    return Math.min(30, (left ?? 30) + 1.5) * (1 + random() / 5);
  }

  /** Return the reason of an end; without one from the room, /queue_num distinguishes a reset. */
  async function endReason(found, id) {
    if (ending(found) !== "unsaid") return ending(found);
    if (ending(await visitorCall("/queue_num", id)())) return "reset";
    return position.taken ? "ended" : "expired";
  }

  /** After an end: until the event accepts joins, notice its opening. Returns the seconds to the next step. */
  async function stayOver() {
    const pause = endPosition(over.reason);
    if (state.event && acceptsJoins(state.event)) return pause;
    await refresh();
    return acceptsJoins(state.event) ? pause : poll();
  }

  function endPosition(reason) {
    over = { id: position.request_id, reason };
    set({ phase: "over", reason, number: position.number, expiresAt: null });
    return Infinity;
  }

  /** Show the stored state after a reload while the room does not respond. */
  function restore() {
    if (!read()) return joining ? undefined : set({ phase: "outside" });
    const { number, start = 0 } = position;
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

  /** Pause of a hidden page: about a minute, or longer. */
  function hiddenPause(pause) {
    if (!position || over) return Infinity;
    return pause < HIDDEN_INTERVAL * 1.6 ? HIDDEN_INTERVAL - 3 + random() * 6 : pause;
  }

  async function run(turnOf) {
    for (let failures = 0; turnOf === running; ) {
      const before = woken;
      let pause;
      try {
        pause = await step();
        failures = 0;
        clearTrouble("poll");
      } catch (error) {
        if (!(error instanceof Trouble)) console.error(error);
        if (!error.held) failures += 1;
        pause = error instanceof Trouble ? reportTrouble("poll", error, failures) : backOff(failures);
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
      return {}; // an insecure context, or the browser rejects the call
    }
  }

  /** Run in one tab at a time; without a lock if locks are missing, rejected or stuck. */
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
      const timer = browser.setTimeout(start, LOCK_TIMEOUT);
      try {
        Promise.resolve(browser.locks.request(key, start)).catch(start);
      } catch {
        start();
      }
    });
  }

  /** Try to join once; it never waits for a retry while it holds the lock. */
  async function tryJoin(joinState) {
    read();
    if (position && !over) return; // another tab has joined
    checkPause(JOIN);
    if (pauseOf(JOIN)?.tries) await readStatus(); // during an outage no join is sent
    let { secret, hash } = await newSecret();
    const refused = ({ status }) => status === 400 && "refused";
    const ask = (body) => () => join(joinState, body, secret);
    let found = await confirmTwice(ask({ client_secret_hash: hash }), refused);
    if (refused(found) && hash) {
      secret = undefined; // a room without client secrets
      found = await confirmTwice(ask({}), refused);
    }
    if (refused(found)) throw new Error(found.content.error ?? found.content.message);
    adopt({ request_id: found.content.api_request_id, client_secret: secret });
  }

  /** Send a join. One that may have reached the room is repeated after growing pauses, a few times. */
  async function join(joinState, body, client_secret) {
    const tries = pauseOf(JOIN)?.tries ?? 0;
    const late = ({ status, content }) =>
      status === 200 && adopt({ request_id: content.api_request_id, client_secret });
    try {
      return await call(JOIN, { body, late });
    } catch (error) {
      const { status, retryAfter, held } = error;
      if (held || !browser.online()) throw error;
      const sent = status !== 429 && status !== 503;
      if (!sent) joinState.refused += 1;
      const growing = Math.min(MAX_JOIN_PAUSE, 5 * 2 ** tries) * (0.75 + random() / 2);
      const pause = sent
        ? Math.max(growing, retryAfter)
        : backOff(joinState.refused, retryAfter, random());
      setPause(JOIN, pause, status, tries + sent);
      if (sent && tries + 1 >= MAX_JOINS) throw new Error("no response to the join");
      throw new Trouble(status, pause, { held: true });
    }
  }

  browser.on("storage", (changed) => changed.key === key && wake());
  browser.on("online", wake);
  browser.on("pageshow", (shown) => {
    if (!shown?.persisted) return;
    confirmed.clear(); // the page was in the back-forward cache
    wake();
  });
  browser.on("visibilitychange", () => {
    if (browser.hidden()) {
      hiddenAt = hiddenAt ?? tick();
      return;
    }
    if (hiddenAt !== null && tick() > hiddenAt + 60_000) confirmed.clear();
    hiddenAt = null;
    wake();
  });

  return {
    /** Call `listener` with the state; returns a function that stops the calls. */
    watch(listener) {
      listeners.add(listener);
      notify(listener);
      if (listeners.size === 1) run((running += 1));
      return () => {
        listeners.delete(listener);
        if (listeners.size === 0) {
          running += 1;
          wake();
        }
      };
    },
    /** Join the queue, unless this browser has a position. */
    join() {
      const joinState = { refused: 0 };
      const work = async () => {
        if (!read() || over) set({ phase: "joining" });
        try {
          await retryUntilDone(() => locked(() => tryJoin(joinState)));
        } finally {
          joining = null;
          if (!position) set({ phase: "outside" }); // before the promise rejects
          else if (over) endPosition(over.reason);
          wake();
        }
      };
      joining = joining ?? Promise.resolve().then(work);
      return joining;
    },
    /** Request the token set; null while the visitor is not served. */
    async token() {
      if (!read()) return null;
      const { request_id, client_secret } = position;
      const found = await retryUntilDone(() =>
        confirmTwice(() => call("/generate_token", { body: { request_id, client_secret } }), ending),
      );
      if (found.status === 200) {
        change(request_id, { taken: true });
        set({ expiresAt: null });
        return found.content;
      }
      if (ending(found)) drop(request_id, await retryUntilDone(() => endReason(found, request_id)));
      wake();
      return null;
    },
    /** Credentials for an OpenID provider's /authorize/continue. */
    proof: () => ({ request_id: position?.request_id, client_secret: position?.client_secret }),
    /** Clock of `expiresAt` and `retryAt`: ms since 1970, without jumps. */
    now: time,
    /** Current time of the server: ms since 1970; null while unknown. Times of the event are compared with it. */
    serverNow: () => (serverNow() === null ? null : serverNow() * 1000),
    /** Poll now, unless the server set a pause. */
    retry: wake,
  };
}
