// SPDX-License-Identifier: Apache-2.0
/** Which moves of the serving position were made elsewhere: by an inlet or by another operator. */

export class Elsewhere {
  #generation = null;
  #serving = null;
  /** The latest move made elsewhere, `{from, to, at}`, or null. `at` is in epoch milliseconds. */
  last = null;

  /** A move made here: by how much, and where the position stood after it. */
  moved(by, serving, at) {
    this.#note(this.#serving === null ? null : Math.max(0, this.#serving + by), serving, at);
  }

  /** Figures were seen; answers whether the position was moved elsewhere since. */
  seen({ serving, generation }, at) {
    const same = generation === this.#generation;
    this.#generation = generation;
    if (!same) this.last = null;
    return this.#note(same ? this.#serving : null, serving, at);
  }

  clear() {
    this.#generation = null;
    this.#serving = null;
    this.last = null;
  }

  #note(expected, serving, at) {
    this.#serving = serving;
    if (expected === null || expected === serving) return false;
    this.last = { from: expected, to: serving, at };
    return true;
  }
}
