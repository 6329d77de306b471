// SPDX-License-Identifier: Apache-2.0
/** The offer to undo the last action, with the time that is left. It ends when the event changes otherwise. */

import { byId, write } from '../page/dom.js';
import { span } from '../page/format.js';
import { UNDO_SECONDS } from './undo.js';

export class UndoOffer {
  #undo = null; // {label, words, version, eventId, until}
  #press;

  /** `press(undo)` carries it out. */
  constructor(press) {
    this.#press = press;
    byId('undo-event').addEventListener('click', () => {
      if (this.#undo) this.#press(this.#undo);
    });
  }

  /** Offer an undo of the change that made `after`; null offers nothing. */
  offer(undo, after) {
    this.#undo = undo && { ...undo, eventId: after.event_id, version: after.version, until: performance.now() + UNDO_SECONDS * 1000 };
    this.tick();
  }

  /** End the offer if another version of the event is shown. */
  follow(event) {
    if (this.#undo && (event.event_id !== this.#undo.eventId || event.version !== this.#undo.version)) this.offer(null);
  }

  tick() {
    const left = this.#undo ? (this.#undo.until - performance.now()) / 1000 : 0;
    if (left <= 0) this.#undo = null;
    const button = byId('undo-event');
    if (this.#undo === null && button === document.activeElement) byId('main').focus();
    byId('undo-box').hidden = this.#undo === null;
    if (this.#undo === null) return;
    write(button, this.#undo.label);
    write(byId('undo-words'), this.#undo.words);
    write(byId('undo-left'), `Offered for ${span(left)}.`);
  }
}
