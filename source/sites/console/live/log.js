// SPDX-License-Identifier: Apache-2.0
/** Log of the operator's actions and their results since the sign-in, newest first. */

import { fileName, logCsv } from '../page/csv.js';
import { byId, download, make } from '../page/dom.js';
import { time } from '../page/format.js';

const MAX_ENTRIES = 500;
const OUTCOMES = { done: 'Done', refused: 'Failed', unconfirmed: 'Unconfirmed', seen: 'Noted' };

export class ActionLog {
  #entries = [];

  /** `eventId()` returns the event for the names of exported files. */
  constructor(eventId) {
    byId('log-csv').addEventListener('click', () => {
      download(fileName(eventId(), 'log', Date.now()), logCsv(this.#entries));
    });
  }

  /** `outcome`: "done", "refused", "unconfirmed", or "seen" for changes by others. Announced to screen readers. */
  add(action, outcome, text) {
    const entry = { at: Date.now(), action, outcome, text };
    this.#entries.push(entry);
    if (this.#entries.length > MAX_ENTRIES) {
      this.#entries.shift();
      byId('log').lastElementChild.remove();
    }
    byId('log').prepend(
      make('li', { 'data-outcome': outcome },
        make('time', { datetime: new Date(entry.at).toISOString() }, time(entry.at)),
        make('strong', {}, OUTCOMES[outcome]),
        make('span', {}, `${action}. ${text}`)),
    );
    this.#show();
  }

  clear() {
    this.#entries = [];
    byId('log').replaceChildren();
    this.#show();
  }

  #show() {
    const none = this.#entries.length === 0;
    byId('log-none').hidden = !none;
    byId('log-csv').disabled = none;
  }
}
