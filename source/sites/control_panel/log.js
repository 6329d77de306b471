// SPDX-License-Identifier: Apache-2.0
/** What was done since the sign-in and what the API answered, newest first. */

import { fileName, logCsv } from './csv.js';
import { byId, download, make } from './dom.js';
import { time } from './format.js';

const KEPT = 500;
const OUTCOMES = { done: 'Done', refused: 'Failed', unsure: 'Unconfirmed', seen: 'Noted' };

export class ActionLog {
  #entries = [];

  /** `eventId()` names the event in exported files. */
  constructor(eventId) {
    byId('log-csv').addEventListener('click', () => {
      download(fileName(eventId(), 'log', Date.now()), logCsv(this.#entries));
    });
  }

  /** `outcome`: "done", "refused", "unsure", or "seen" of what others did; screen readers hear it. */
  add(action, outcome, said) {
    const entry = { at: Date.now(), action, outcome, said };
    this.#entries.push(entry);
    if (this.#entries.length > KEPT) {
      this.#entries.shift();
      byId('log').lastElementChild.remove();
    }
    byId('log').prepend(
      make('li', { 'data-outcome': outcome },
        make('time', { datetime: new Date(entry.at).toISOString() }, time(entry.at)),
        make('strong', {}, OUTCOMES[outcome]),
        make('span', {}, `${action}. ${said}`)),
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
