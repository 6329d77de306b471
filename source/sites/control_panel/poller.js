// SPDX-License-Identifier: Apache-2.0
/** Asks again and again: at an even pace, slower while it fails, not at all while nobody looks. */

export const INTERVAL = 5; // seconds
export const SLOWEST = 30; // seconds between tries while the API does not answer

export class Poller {
  #ask;
  #answered;
  #failed;
  #timers;
  #timer = null;
  #run = 0;
  #asking = false;
  #again = false;
  #outdated = false;
  #failures = 0;
  #started = false;
  #paused = false;
  #hidden = false;
  #nextAt = 0;

  /** `ask()` promises an answer; `answered(answer)` and `failed(error)` are told what came. */
  constructor({ ask, answered, failed, timers = globalThis, clock = Date.now }) {
    this.#ask = ask;
    this.#answered = answered;
    this.#failed = failed;
    this.#timers = timers;
    this.clock = clock;
  }

  get paused() {
    return this.#paused;
  }

  /** Whether a call is under way. */
  get asking() {
    return this.#asking;
  }

  get failures() {
    return this.#failures;
  }

  /** Seconds until the next try; 0 while one is under way or none is planned. */
  get nextIn() {
    return this.#timer === null ? 0 : Math.max(0, (this.#nextAt - this.clock()) / 1000);
  }

  /** Ask from now on; the first answer is there already. */
  start() {
    this.#started = true;
    this.#failures = 0;
    this.#plan(INTERVAL);
  }

  /** Ask no more; an answer that is under way is dropped. */
  stop() {
    this.#started = false;
    this.#paused = false;
    this.#again = false;
    this.#outdated = false;
    this.#asking = false;
    this.#run += 1;
    this.#cancel();
  }

  /** Hold on, or go on at once. */
  pause(paused) {
    this.#paused = paused;
    if (paused) this.#cancel();
    else this.refresh();
  }

  /** The page went out of sight, or came back. */
  hide(hidden) {
    if (hidden === this.#hidden) return;
    this.#hidden = hidden;
    if (hidden) this.#cancel();
    else if (!this.#paused) this.refresh();
  }

  /** Something was changed: ask now, and drop the answer that was asked for before. */
  outdate() {
    this.#outdated = this.#asking;
    this.refresh();
  }

  /** Ask now, also while paused; once more when a call is under way already. */
  async refresh() {
    if (!this.#started) return;
    if (this.#asking) {
      this.#again = true;
      return;
    }
    this.#cancel();
    const run = this.#run;
    this.#asking = true;
    let wait = INTERVAL;
    try {
      const answer = await this.#ask();
      if (run !== this.#run) return;
      this.#failures = 0;
      if (!this.#outdated) this.#answered(answer);
    } catch (error) {
      if (run !== this.#run) return;
      this.#failures += 1;
      wait = Math.min(SLOWEST, Math.max(INTERVAL * 2 ** (this.#failures - 1), error.retryAfter || 0));
      this.#failed(error);
    }
    if (run !== this.#run) return; // stopped by who was told
    this.#asking = false;
    this.#outdated = false;
    if (this.#again) {
      this.#again = false;
      await this.refresh();
    } else {
      this.#plan(wait);
    }
  }

  #plan(wait) {
    if (this.#paused || this.#hidden) return;
    this.#cancel();
    this.#nextAt = this.clock() + wait * 1000;
    this.#timer = this.#timers.setTimeout(() => {
      this.#timer = null;
      this.refresh();
    }, wait * 1000);
  }

  #cancel() {
    if (this.#timer !== null) this.#timers.clearTimeout(this.#timer);
    this.#timer = null;
  }
}

/**
 * How fresh the figures are: `state` is "live", "paused" or "stale", `age` is in seconds.
 * Times are in epoch milliseconds. A call under way is waited for: it has a time limit.
 */
export function freshness({ now, answeredAt, failing, paused, asking = false }) {
  const age = Math.max(0, Math.round((now - answeredAt) / 1000));
  if (failing || (!paused && !asking && age > 3 * INTERVAL)) return { state: 'stale', age };
  return { state: paused ? 'paused' : 'live', age };
}
