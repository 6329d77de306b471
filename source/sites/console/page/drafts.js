// SPDX-License-Identifier: Apache-2.0
/** Input of an event that was not sent, while another event is shown. It is in memory only. */

export class Drafts {
  #kept = new Map(); // event id → list with the input of each card
  #cards;

  /** Each of the `cards` has a `draft`: its input that was not sent, or null. */
  constructor(cards) {
    this.#cards = cards;
  }

  /** Keep the input of the cards for an event. */
  keep(eventId) {
    this.#kept.set(eventId, this.#cards.map((card) => card.draft));
  }

  /** Give the cards the input that was kept for an event. */
  restore(eventId) {
    const kept = this.#kept.get(eventId) ?? [];
    this.#kept.delete(eventId);
    this.#cards.forEach((card, i) => {
      if (kept[i]) card.draft = kept[i];
    });
  }

  /** Forget the input of an event. */
  forget(eventId) {
    this.#kept.delete(eventId);
  }

  clear() {
    this.#kept.clear();
  }
}
