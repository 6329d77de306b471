// SPDX-License-Identifier: Apache-2.0
/**
 * Waiting visitors and admission rate of the events whose rows are visible, from `/status` of the public
 * API: no keys, and CloudFront returns it from its cache. One call at a time.
 */

import { publicStatus } from '../api/public-status.js';
import { count, rate } from '../page/format.js';

export const INTERVAL = 30; // seconds between two reads of a row
export const STAGGER = 0.9; // seconds between two calls, below the interval of the ticks

export class ListNumbers {
  #publicApi;
  #own;
  #show;
  #read;
  #visible = new Set();
  #readAt = new Map(); // event id → seconds
  #pending = false;
  #calledAt = -Infinity;

  /**
   * `publicApi()` returns the address, or an empty text; `own()` the event whose row has the metrics of the
   * page, or null: it is not read here. `show(eventId, words)` shows the numbers.
   */
  constructor({ publicApi, own = () => null, show, read = publicStatus }) {
    this.#publicApi = publicApi;
    this.#own = own;
    this.#show = show;
    this.#read = read;
  }

  /** A row became visible or hidden. */
  see(eventId, visible) {
    if (visible) this.#visible.add(eventId);
    else this.#visible.delete(eventId);
  }

  clear() {
    this.#visible.clear();
    this.#readAt.clear();
  }

  /** Read the row that is due longest; `now` is in seconds. */
  async tick(now) {
    const publicApi = this.#publicApi();
    if (!publicApi || this.#pending || now - this.#calledAt < STAGGER) return;
    const own = this.#own();
    const ages = [...this.#visible].filter((id) => id !== own).map((id) => [this.#readAt.get(id) ?? -Infinity, id]).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    const [due] = ages;
    if (!due || now - due[0] < INTERVAL) return;
    const [, eventId] = due;
    this.#pending = true;
    this.#calledAt = now;
    this.#readAt.set(eventId, now);
    let words = '';
    try {
      words = numbersOf(await this.#read(publicApi, eventId));
    } catch {
      // the row has no numbers
    }
    this.#pending = false;
    if (eventId !== this.#own()) this.#show(eventId, words); // it may have been chosen meanwhile
  }
}

/** Describe the numbers of a row: "1,204 waiting, 60/min". */
export function numbersOf({ waiting_num: waiting, admission_rate_per_minute: perMinute }) {
  return `${count(waiting)} waiting${Number.isFinite(perMinute) ? `, ${rate(perMinute)}/min` : ''}`;
}
