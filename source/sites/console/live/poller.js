// SPDX-License-Identifier: Apache-2.0
/** Polls at a fixed interval; slower after errors, not while the page is hidden or paused. */

export const INTERVAL = 5; // seconds
export const MAX_INTERVAL = 30; // maximum seconds between attempts while the API fails

export class Poller {
  #request;
  #received;
  #failed;
  #timers;
  #timer = null;
  #run = 0;
  #pending = false;
  #retries = false;
  #outdated = false;
  #failures = 0;
  #started = false;
  #paused = false;
  #hidden = false;
  #nextAt = 0;

  /** `request()` resolves to a response; `received(response)` and `failed(error)` get the result. */
  constructor({ request, received, failed, timers = globalThis, clock = Date.now }) {
    this.#request = request;
    this.#received = received;
    this.#failed = failed;
    this.#timers = timers;
    this.clock = clock;
  }

  get paused() {
    return this.#paused;
  }

  /** Return whether a call is pending. */
  get pending() {
    return this.#pending;
  }

  get failures() {
    return this.#failures;
  }

  /** Seconds to the next attempt; 0 while a call is pending or none is scheduled. */
  get nextIn() {
    return this.#timer === null ? 0 : Math.max(0, (this.#nextAt - this.clock()) / 1000);
  }

  /** Start polling; the first response is already there. */
  start() {
    this.#started = true;
    this.#failures = 0;
    this.#schedule(INTERVAL);
  }

  /** Stop polling; the response of a pending call is discarded. */
  stop() {
    this.#started = false;
    this.#paused = false;
    this.#retries = false;
    this.#outdated = false;
    this.#pending = false;
    this.#run += 1;
    this.#cancel();
  }

  /** Pause, or continue at once. */
  pause(paused) {
    this.#paused = paused;
    if (paused) this.#cancel();
    else this.refresh();
  }

  /** The page became hidden or visible. */
  hide(hidden) {
    if (hidden === this.#hidden) return;
    this.#hidden = hidden;
    if (hidden) this.#cancel();
    else if (!this.#paused) this.refresh();
  }

  /** The device is online again: try now, unless paused or hidden. */
  retry() {
    if (!this.#paused && !this.#hidden) this.refresh();
  }

  /** After a change: poll now, and discard the response of a pending call. */
  outdate() {
    this.#outdated = this.#pending;
    this.refresh();
  }

  /** Poll now, also while paused; if a call is pending, poll once more after it. */
  async refresh() {
    if (!this.#started) return;
    if (this.#pending) {
      this.#retries = true;
      return;
    }
    this.#cancel();
    const run = this.#run;
    this.#pending = true;
    let wait = INTERVAL;
    try {
      const response = await this.#request();
      if (run !== this.#run) return;
      this.#failures = 0;
      if (!this.#outdated) this.#received(response);
    } catch (error) {
      if (run !== this.#run) return;
      this.#failures += 1;
      wait = Math.min(MAX_INTERVAL, Math.max(INTERVAL * 2 ** (this.#failures - 1), error.retryAfter || 0));
      this.#failed(error);
    }
    if (run !== this.#run) return; // stopped by a callback
    this.#pending = false;
    this.#outdated = false;
    if (this.#retries) {
      this.#retries = false;
      await this.refresh();
    } else {
      this.#schedule(wait);
    }
  }

  #schedule(wait) {
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
 * Freshness of the metrics: `state` is "live", "paused" or "stale", `age` is in seconds. Times are in
 * epoch milliseconds. Metrics are not stale while a call is pending: each call has a time limit.
 */
export function freshness({ now, receivedAt, failing, paused, pending = false }) {
  const age = Math.max(0, Math.round((now - receivedAt) / 1000));
  if (failing || (!paused && !pending && age > 3 * INTERVAL)) return { state: 'stale', age };
  return { state: paused ? 'paused' : 'live', age };
}
