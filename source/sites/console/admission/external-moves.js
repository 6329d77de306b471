// SPDX-License-Identifier: Apache-2.0
/** Detects moves of the serving position by an inlet or another operator. */

export class ExternalMoves {
  #generation = null;
  #serving = null;
  /** The latest external move `{from, to, at}`, or null. `at` is in epoch milliseconds. */
  last = null;

  /** Record a move of this page: its size, and the position after it. */
  recordOwn(by, serving, at) {
    this.#compare(this.#serving === null ? null : Math.max(0, this.#serving + by), serving, at);
  }

  /** Compare new metrics; return whether an external move happened since the last call. */
  observe({ serving, generation }, at) {
    const same = generation === this.#generation;
    this.#generation = generation;
    if (!same) this.last = null;
    return this.#compare(same ? this.#serving : null, serving, at);
  }

  clear() {
    this.#generation = null;
    this.#serving = null;
    this.last = null;
  }

  #compare(expected, serving, at) {
    this.#serving = serving;
    if (expected === null || expected === serving) return false;
    this.last = { from: expected, to: serving, at };
    return true;
  }
}
