// SPDX-License-Identifier: Apache-2.0
// Fake browser and fake room with a test clock.
import { createHash, webcrypto } from "node:crypto";

const settle = () => new Promise((done) => setImmediate(done));

// without the threads of the real one, which do not follow the test clock
const quickCrypto = {
  getRandomValues: (into) => webcrypto.getRandomValues(into),
  subtle: { digest: async (_, data) => createHash("sha256").update(data).digest() },
};

export class Clock {
  now = 1_800_000_000_000; // of timers and of the steady clock
  slept = 0; // ms in which both stood still
  skew = 0; // ms by which the device's wall clock is wrong
  timers = new Map();
  next = 1;

  set(work, ms) {
    this.timers.set(this.next, { at: this.now + ms, work });
    return this.next++;
  }

  /** The true time, in ms. */
  get real() {
    return this.now + this.slept;
  }

  /** Advance the clock and run all due timers in order. */
  async pass(seconds) {
    const end = this.now + seconds * 1000;
    for (;;) {
      for (let turns = 0; turns < 4; turns += 1) await settle();
      const due = [...this.timers].filter(([, { at }]) => at <= end);
      if (!due.length) break;
      const [id, { at, work }] = due.reduce((one, other) => (other[1].at < one[1].at ? other : one));
      this.timers.delete(id);
      this.now = Math.max(this.now, at);
      work();
    }
    this.now = end;
  }
}

/** Profile of a browser: everything that its tabs share. */
export class Profile {
  stored = new Map();
  written = []; // everything that ever was
  tabs = [];
  queue = Promise.resolve();
  locks = {
    request: (_, work) => (this.queue = this.queue.then(work, work)),
  };

  constructor(clock, server) {
    Object.assign(this, { clock, server });
  }

  tab({ blocked = false, crypto = quickCrypto, random = () => 0.5 } = {}) {
    const events = {};
    const { clock } = this;
    const tab = {
      isHidden: false,
      isOnline: true,
      storage: blocked ? null : {
        getItem: (key) => this.stored.get(key) ?? null,
        setItem: (key, text) => {
          this.stored.set(key, text);
          this.written.push(text);
          for (const other of this.tabs) if (other !== tab) other.fire("storage", { key });
        },
      },
      crypto,
      locks: this.locks,
      random,
      now: () => clock.real + clock.skew,
      clock: () => clock.now,
      setTimeout: (work, ms) => clock.set(work, ms),
      clearTimeout: (id) => clock.timers.delete(id),
      hidden: () => tab.isHidden,
      online: () => tab.isOnline,
      on: (name, work) => (events[name] ??= []).push(work),
      fire: (name, event = {}) => events[name]?.forEach((work) => work(event)),
      fetch: (url, options) => this.server.fetch(url, options),
      hide(hidden) {
        tab.isHidden = hidden;
        tab.fire("visibilitychange");
      },
    };
    this.tabs.push(tab);
    return tab;
  }
}

/** A room that implements the API; `faults` configure its errors. */
export class Server {
  calls = [];
  serving = 0;
  rate = 0;
  pollAfter = 5;
  queueCounter = 0;
  generation = 1;
  positions = new Map();
  message = "";
  withoutNumber = false;
  expiresIn = null; // null: positions do not expire
  fault = () => null; // (path, body) => "down", "hang", an answer, or { after: seconds }
  moves = []; // seconds since 1970 at which the counter rose, if /status returns them
  every = null;
  event = {}; // phase and times, as in /status
  tokens = { access_token: "secret.access.token", token_type: "Bearer", expires_in: 3600 };

  constructor(clock) {
    this.clock = clock;
  }

  count(path) {
    return this.calls.filter((call) => call.path === path).length;
  }

  async fetch(address, options = {}) {
    const url = new URL(address);
    const path = url.pathname.replace("/api", "");
    const body = options.body && JSON.parse(options.body);
    this.calls.push({ path, url: address, body, at: this.clock.now });
    const fault = this.fault(path, body, address);
    if (fault === "down") throw new TypeError("Failed to fetch");
    if (fault === "hang")
      return new Promise((_, fail) =>
        options.signal?.addEventListener("abort", () => fail(new Error("aborted"))),
      );
    let reply = Array.isArray(fault) ? fault : null;
    reply = reply ?? this.answer(path, url.searchParams, body);
    if (fault?.after)
      await new Promise((done, fail) => {
        this.clock.set(done, fault.after * 1000);
        options.signal?.addEventListener("abort", () => fail(new Error("aborted")));
      });
    const [status, content, headers] = reply;
    return {
      status,
      headers: new Headers(headers),
      json: async () => content,
    };
  }

  /** Members of /status that older rooms do not return. */
  timesOfMoves() {
    if (this.old) return {};
    return {
      now: this.clock.real / 1000,
      optimistic_rate_per_minute: this.rate,
      moved_at: this.moves.at(-1) ?? null,
      first_moved_at: this.moves[0] ?? null,
      every: this.every,
    };
  }

  answer(path, query, body) {
    const id = query.get("request_id") ?? body?.request_id;
    const position = this.positions.get(id);
    const gone = position && position.generation !== this.generation;
    if (path === "/assign_queue_num") {
      const request_id = `00000000-0000-4000-8000-${String(this.positions.size).padStart(12, "0")}`;
      const number = (this.queueCounter += 1);
      this.positions.set(request_id, { number, generation: this.generation, ...body });
      return [200, { api_request_id: request_id }];
    }
    if (path === "/status")
      return [200, {
        event_id: "Sample",
        ...this.timesOfMoves(),
        serving_counter: this.serving,
        waiting_num: this.queueCounter - this.serving,
        queue_counter: this.queueCounter,
        admission_rate_per_minute: this.rate,
        poll_after_seconds: this.pollAfter,
        message: this.message,
        ...this.event,
      }];
    if (path === "/serving_num") return [200, { serving_counter: this.serving }];
    if (path === "/waiting_num") return [200, { waiting_num: this.queueCounter - this.serving }];
    if (path === "/queue_num") {
      if (!position || this.withoutNumber) return [202, { error: "not yet" }];
      return gone ? this.ended("reset") : [200, { queue_number: position.number, event_id: "Sample" }];
    }
    if (gone) return this.ended("reset");
    if (path === "/queue_pos_expiry") {
      if (this.expiresIn === null) return [202, { error: "no expiry" }];
      if (this.expiresIn < 0) return this.ended("position_expired");
      return [200, { expires_in: this.expiresIn }];
    }
    if (path === "/generate_token") {
      if (!position) return [404, { error: "unknown" }];
      if (position.number > this.serving) return [202, { error: "not yet" }];
      return [200, this.tokens];
    }
    return [404, {}];
  }

  /** A 410; a room of the AWS solution returns no reason. */
  ended(reason) {
    return [410, this.plain ? { error: "gone" } : { error: "gone", reason }];
  }

  reset() {
    this.generation += 1;
    this.serving = this.queueCounter = 0;
  }
}
