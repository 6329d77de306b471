// SPDX-License-Identifier: Apache-2.0
/** Card with the list of expired tokens, page by page. */

import { expiredCsv, fileName } from '../page/csv.js';
import { cardOf } from '../page/console-context.js';
import { byId, download, make, write } from '../page/dom.js';
import { count, some } from '../page/format.js';

export const PAGE = 50;

export class ExpiredCard {
  #context;
  #lookUp;
  #card = cardOf(byId('expired-load'));
  #marks = [null]; // start mark of each page up to the current one
  #next = null;
  #ids = null;

  /** `lookUp(requestId)` shows one visitor. */
  constructor(context, lookUp) {
    this.#context = context;
    this.#lookUp = lookUp;
    byId('expired-load').addEventListener('click', () => this.#load([null]));
    byId('expired-next').addEventListener('click', () => this.#load([...this.#marks, this.#next]));
    byId('expired-before').addEventListener('click', () => this.#load(this.#marks.slice(0, -1)));
    byId('expired-csv').addEventListener('click', () => {
      const { eventId } = this.#context.api;
      const name = fileName(eventId, `expired-tokens-${this.#marks.length}`, Date.now());
      download(name, expiredCsv(eventId, this.#ids));
    });
  }

  clear() {
    this.#marks = [null];
    this.#next = null;
    this.#ids = null;
    this.#context.showResult(this.#card, 'done', '');
    this.#show();
  }

  async #load(marks) {
    const page = marks.length;
    const response = await this.#context.runQuery(
      this.#card,
      `List expired tokens, page ${count(page)}`,
      (api) => api.expiredTokens(PAGE, marks.at(-1)),
      ({ request_ids: ids }) => (ids.length ? `${some(ids.length, 'expired token')} on this page.` : 'No expired tokens.'),
    );
    if (response === null) return;
    this.#marks = marks;
    this.#next = response.next_token;
    this.#ids = response.request_ids;
    this.#show();
  }

  #show() {
    const ids = this.#ids ?? [];
    const list = byId('expired-list');
    write(byId('expired-load'), this.#ids === null ? 'Show list' : 'Refresh list');
    byId('expired-before').disabled = this.#marks.length < 2;
    byId('expired-next').disabled = !this.#next;
    byId('expired-csv').disabled = ids.length === 0;
    byId('expired-where').hidden = this.#ids === null;
    write(byId('expired-where'), `Page ${count(this.#marks.length)}${this.#next ? '' : ' (last page)'}`);
    list.hidden = ids.length === 0;
    list.setAttribute('start', (this.#marks.length - 1) * PAGE + 1);
    list.replaceChildren(...ids.map((id) => {
      const button = make('button', { type: 'button', class: 'quiet', 'aria-label': `Look up ${id}` }, make('code', {}, id));
      button.addEventListener('click', () => this.#lookUp(id));
      return make('li', {}, button);
    }));
    list.scrollTop = 0;
  }
}
