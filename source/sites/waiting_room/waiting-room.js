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
 * What else is in it: docs/pages.md.
 */
const TIMEOUT = 10_000; // ms
const LONGEST_PAUSE = 60; // s between two tries, unless the server asks for more
const FORGOTTEN = 86_400_000; // ms; a join without a number by then is lost
const CHECK_AGAIN = 10_000; // ms between two doubts

/** Seconds to the next try: doubles, and is never less than the server asks. */
export function backOff(failures, retryAfter = 0, random = Math.random()) {
  const pause = Math.min(LONGEST_PAUSE, 2 ** Math.min(failures - 1, 6)) * (0.75 + random / 2);
  return Math.max(pause, Math.min(retryAfter, 300) * (1 + random / 4));
}

/** Seconds to the next poll: the server's, less near the front, ± 20 %. */
export function pollDelay({ pollAfter = 5, ahead = 1, waiting = 1 }, random = Math.random()) {
  const share = Math.min(1, ahead / Math.max(1, waiting));
  const seconds = Math.min(120, Math.max(1, pollAfter));
  return spread(Math.max(Math.min(2, seconds), seconds * share), random);
}

/** Seconds to the next question for the number; first 1.2, as workers gather joins for one. */
export const askDelay = (asked) => (asked ? Math.min(10, 1.5 ** asked) : 1.2);

const spread = (seconds, random) => seconds * (0.8 + random * 0.4); // ± 20 %

/** The wait as a range in minutes, or null. */
export function estimate(ahead, rate) {
  if (!(rate > 0) || !(ahead > 0)) return null;
  const likely = ahead / rate;
  const step = likely < 10 ? 1 : likely < 60 ? 5 : 15;
  const from = Math.floor((likely * 0.8) / step) * step;
  return { from: Math.max(1, from), to: Math.ceil((likely * 1.3) / step) * step };
}

/** Worth trying again. */
class Trouble extends Error {
  constructor(status = 0, retryAfter = 0) {
    super(`status ${status}`);
    Object.assign(this, { status, retryAfter });
  }
}

/** What is needed of it; tests bring their own. */
function thisBrowser() {
  let storage = null;
  try {
    storage = localStorage;
  } catch {
    // blocked
  }
  return {
    storage,
    crypto,
    locks: navigator.locks,
    fetch: (...given) => fetch(...given),
    now: () => Date.now(),
    random: () => Math.random(),
    setTimeout: (work, ms) => setTimeout(work, ms),
    clearTimeout: (timer) => clearTimeout(timer),
    hidden: () => document.hidden,
    online: () => navigator.onLine !== false,
    on: (name, work) =>
      (name === "visibilitychange" ? document : window).addEventListener(name, work),
  };
}

export function waitingRoom({ eventId, publicApi, browser = thisBrowser() }) {
  const { now, random } = browser;
  const key = `waiting-room:${eventId}`;
  const event = `event_id=${encodeURIComponent(eventId)}`;
  const listeners = new Set();
  const sleepers = new Set();
  const troubles = {};
  let state = { phase: "loading", kept: true, trouble: null };
  let place = null; // as it is stored
  let verified = false; // the server knows the place
  let over = null;
  let joining = false;
  let statusWorks;
  let seen = {};
  let checkedAt = -Infinity;
  let misses = 0;
  let told = false;
  let hiddenAt = null;
  let running = 0;
  let woken = 0;

  function set(change) {
    const trouble = troubles.call || troubles.poll || null;
    state = Object.freeze({ ...state, ...change, held: Boolean(place && !over), trouble });
    for (const listener of listeners) listener(state);
  }

  // --- time

  function sleep(seconds) {
    return new Promise((resolve) => {
      const timer =
        seconds < Infinity && browser.setTimeout(() => finish(), Math.round(seconds * 1000));
      const finish = () => {
        browser.clearTimeout(timer);
        sleepers.delete(finish);
        resolve();
      };
      sleepers.add(finish);
    });
  }

  function wake() {
    woken += 1;
    for (const finish of [...sleepers]) finish();
  }

  function troubled(which, error, failures) {
    if (!(error instanceof Trouble)) console.error(error);
    const seconds = backOff(failures, error.retryAfter, random());
    const busy = error.status === 429 || error.status === 503;
    const kind = !browser.online() ? "offline" : busy ? "busy" : "unreachable";
    troubles[which] = { kind, retryAt: now() + seconds * 1000 };
    set({});
    return seconds;
  }

  // --- what is stored: never a token

  function read() {
    let stored = null;
    try {
      stored = JSON.parse(browser.storage.getItem(key));
    } catch {
      // none
    }
    if (stored?.request_id && stored.request_id !== place?.request_id) {
      verified = false; // another tab joined
      misses = 0;
      seen = {};
    }
    if (stored?.request_id) place = stored;
    else if (place) write(place);
    if (over && over.id !== place?.request_id) over = null;
    return place;
  }

  function write(change) {
    place = change;
    let kept = true;
    try {
      browser.storage.setItem(key, JSON.stringify(place));
    } catch {
      kept = false;
    }
    if (kept !== state.kept) set({ kept });
  }

  // --- asking

  async function call(path, body) {
    const abort = new AbortController();
    const timer = browser.setTimeout(() => abort.abort(), TIMEOUT);
    try {
      const answer = await browser.fetch(publicApi + path, {
        signal: abort.signal,
        ...(body && {
          method: "POST",
          headers: { "Content-Type": "application/json" },
          body: JSON.stringify({ event_id: eventId, ...body }),
        }),
      });
      const { status } = answer;
      const content = await answer.json().catch(() => null);
      const refused = status === 403 && !/client.?secret/i.test(content?.error);
      if (status >= 500 || status === 429 || refused || !content) {
        const wait = answer.headers.get("Retry-After") ?? "";
        throw new Trouble(status, Number(wait) || (Date.parse(wait) - now()) / 1000 || 0);
      }
      return { status, content };
    } catch (error) {
      throw error instanceof Trouble ? error : new Trouble();
    } finally {
      browser.clearTimeout(timer);
    }
  }

  /** Try until there is an answer. */
  async function persist(work) {
    for (let failures = 1; ; failures += 1) {
      try {
        const found = await work();
        troubles.call = null;
        return found;
      } catch (error) {
        await sleep(troubled("call", error, failures));
      }
    }
  }

  const mine = (path) => call(`${path}?${event}&request_id=${place.request_id}`);

  /** /status, or what the AWS solution has instead. */
  async function figures() {
    if (statusWorks !== false) {
      try {
        const { status, content } = await call(`/status?${event}`);
        if (status === 200 && content.serving_counter >= 0) {
          statusWorks = true;
          return content;
        }
      } catch (error) {
        if (statusWorks) throw error;
      }
    }
    const found = await Promise.all([
      call(`/serving_num?${event}`),
      call(`/waiting_num?${event}`),
    ]).catch((error) => {
      statusWorks = undefined;
      throw error;
    });
    const answer = { ...found[0].content, ...found[1].content };
    if (!(answer.serving_counter >= 0)) throw new Trouble(found[0].status);
    statusWorks = false;
    return answer;
  }

  async function look() {
    const found = await figures();
    const next = {
      serving: found.serving_counter,
      waiting: Math.max(0, found.waiting_num ?? 0),
      queue: found.queue_counter,
      rate: found.admission_rate_per_minute,
      message: typeof found.message === "string" ? found.message : "",
    };
    const line = next.queue ?? next.serving;
    const least = next.queue === undefined ? seen.serving : Math.max(place?.number, seen.queue ?? 0);
    const doubtful = line < least && now() > checkedAt + CHECK_AGAIN;
    seen = { ...next, pollAfter: found.poll_after_seconds };
    set(next);
    return doubtful;
  }

  // --- a step answers the seconds to the next

  async function step() {
    read();
    if (!place) {
      if (!joining) set({ phase: "outside" });
      await look();
      return pollDelay({ pollAfter: seen.pollAfter }, random());
    }
    if (over) return end(over.reason);
    if (!(place.number && verified)) {
      const pause = await find();
      if (pause) return pause;
    }
    if ((await look()) && (await find())) return 0;
    if (place.start === undefined) write({ ...place, start: Math.min(seen.serving, place.number) });
    return place.number <= seen.serving ? turn() : queue();
  }

  /** Ask for the number; answers 0 when there is one. */
  async function find() {
    if (misses < 0) return spread(askDelay(++misses), random());
    checkedAt = now();
    const asked = place.request_id;
    const { status, content } = await mine("/queue_num");
    if (asked !== place.request_id) return 0.1;
    if (status === 200) {
      verified = true;
      if (place.number !== content.queue_number)
        write({ ...place, number: content.queue_number, start: undefined });
      return 0;
    }
    if (status !== 202 || now() > place.joined_at + FORGOTTEN) return end("reset");
    if (place.number) return 0;
    set({ phase: "placing", number: undefined });
    misses += 1;
    return spread(askDelay(misses), random());
  }

  function queue() {
    const { number, start } = place;
    const ahead = number - seen.serving;
    set({
      phase: "waiting",
      number,
      ahead,
      wait: estimate(ahead, seen.rate),
      progress: Math.min(1, Math.max(0, (seen.serving - start) / (number - start || 1))),
      expiresAt: null,
    });
    return pollDelay({ pollAfter: seen.pollAfter, ahead, waiting: seen.waiting }, random());
  }

  async function turn() {
    set({ phase: "turn", number: place.number, ahead: 0, wait: null, progress: 1 });
    if (place.taken) {
      set({ expiresAt: null });
      return 60;
    }
    const { status, content } = await mine("/queue_pos_expiry");
    if (place.taken) return 0;
    if (status === 410) return end(await why());
    if (status === 404 || status === 400) return end("reset");
    const left = status === 200 ? content.expires_in : null;
    set({ expiresAt: left === null ? null : now() + left * 1000 });
    return Math.min(30, (left ?? 30) + 1.5) * (1 + random() / 5);
  }

  /** Only the number's own answer tells a reset from the rest. */
  async function why() {
    return (await mine("/queue_num")).status === 410 ? "reset" : place.taken ? "ended" : "expired";
  }

  function end(reason) {
    over = { id: place.request_id, reason };
    set({ phase: "over", reason, number: place.number, expiresAt: null });
    return Infinity;
  }

  async function run(turnOf) {
    for (let failures = 0; turnOf === running; ) {
      const before = woken;
      if (browser.hidden() && !told) {
        hiddenAt ??= now();
        await sleep(Infinity);
        continue;
      }
      if (hiddenAt !== null && now() > hiddenAt + 60_000) verified = false;
      hiddenAt = null;
      let pause;
      try {
        pause = await step();
        failures = 0;
        if (troubles.poll) {
          troubles.poll = null;
          set({});
        }
      } catch (error) {
        failures += 1;
        pause = troubled("poll", error, failures);
      }
      if (browser.hidden()) pause = Math.max(pause, seen.pollAfter ?? 0, 15);
      if (before === woken && turnOf === running) await sleep(pause);
    }
  }

  // --- joining

  async function newSecret() {
    if (!browser.crypto?.subtle) return {}; // an insecure address
    const hex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    const secret = hex(browser.crypto.getRandomValues(new Uint8Array(32)));
    const digest = await browser.crypto.subtle.digest("SHA-256", new TextEncoder().encode(secret));
    return { secret, hash: hex(new Uint8Array(digest)) };
  }

  async function take() {
    read();
    if (place && !over) return;
    let { secret, hash } = await newSecret();
    const ask = (body) => persist(() => call("/assign_queue_num", body));
    let answer = await ask({ client_secret_hash: hash });
    if (answer.status === 400 && hash) {
      secret = undefined; // a room that knows no such thing
      answer = await ask({});
    }
    const id = answer.content.api_request_id;
    if (answer.status !== 200 || !id) throw new Error(answer.content.error ?? "no place was given");
    over = null;
    verified = false;
    misses = -1; // nobody can know it yet
    write({ request_id: id, client_secret: secret, joined_at: now() });
    set({ phase: "placing", number: undefined });
  }

  browser.on("storage", (change) => change.key === key && wake());
  browser.on("online", wake);
  browser.on("pageshow", wake);
  browser.on("visibilitychange", () => {
    if (browser.hidden()) hiddenAt ??= now();
    else wake();
  });

  return {
    /** Call `listener` with the state; answers how to stop. */
    watch(listener) {
      listeners.add(listener);
      listener(state);
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
    async join() {
      joining = true;
      if (!read() || over) set({ phase: "joining" });
      try {
        if (browser.locks) await browser.locks.request(key, take); // one tab at a time
        else await take();
      } finally {
        joining = false;
        wake();
      }
    },
    /** The token set as the API answers it; null when it is not the turn. */
    async token() {
      const { request_id, client_secret } = read();
      const { status, content } = await persist(() =>
        call("/generate_token", { request_id, client_secret }),
      );
      if (status === 200) {
        write({ ...place, taken: true });
        set({ expiresAt: null });
        return content;
      }
      if (status === 410) end(await persist(why));
      else if (status === 403) end("refused");
      else if (status !== 202) end("reset");
      wake();
      return null;
    },
    /** For an OpenID provider's /authorize/continue. */
    proof: () => ({ request_id: place?.request_id, client_secret: place?.client_secret }),
    /** Whether a hidden page goes on asking, slowly. */
    watchHidden: (on) => void (told = on),
    /** Ask now. */
    retry: wake,
  };
}
