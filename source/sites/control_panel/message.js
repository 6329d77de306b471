// SPDX-License-Identifier: Apache-2.0
/** The operator's message, and what visitors get from the public side. */

import { cardOf } from './desk.js';
import { byId, markWrong, write } from './dom.js';
import { count } from './format.js';

export const LONGEST = 500; // characters, as the API counts them

export class MessageCard {
  #desk;
  #card = cardOf(byId('message-form'));
  #shown = '';
  #edited = false;

  constructor(desk) {
    this.#desk = desk;
    byId('message').addEventListener('input', () => {
      this.#edited = true;
      this.#left();
    });
    byId('message-form').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#send(byId('message').value.trim());
    });
    byId('message-clear').addEventListener('click', () => this.#send(''));
    byId('check-public').addEventListener('click', () => this.#check());
  }

  /** Follow what stands, unless the operator is writing. */
  show(figures) {
    if (figures.message === this.#shown && this.#edited) return;
    this.#shown = figures.message;
    if (!this.#edited && byId('message').value !== figures.message) byId('message').value = figures.message;
    this.#left();
  }

  clear() {
    this.#shown = '';
    this.#edited = false;
    byId('message').value = '';
    this.#desk.tell(this.#card, 'done', '');
    byId('check-public').hidden = !this.#desk.publicApi;
    this.#left();
  }

  async #send(text) {
    if ([...text].length > LONGEST) {
      this.#desk.tell(this.#card, 'refused', `The message is longer than ${LONGEST} characters.`);
      return;
    }
    const answer = await this.#desk.act(
      this.#card,
      text ? 'Show message' : 'Clear message',
      (api) => api.setMessage(text),
      ({ message }) => (message ? `Visitors read now: “${message}”` : 'Visitors read no message now.'),
    );
    if (answer !== null) {
      this.#edited = false;
      this.#shown = answer.message;
      byId('message').value = answer.message;
      this.#left();
    }
  }

  /** One call as a waiting page makes it: through the edge, without keys. */
  async #check() {
    const { publicApi, api } = this.#desk;
    if (!publicApi || api === null) return;
    const began = performance.now();
    let words;
    let outcome = 'done';
    try {
      const search = new URLSearchParams({ event_id: api.eventId });
      const answer = await fetch(`${publicApi}/status?${search}`, {
        credentials: 'omit',
        signal: AbortSignal.timeout(10_000),
      });
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      const status = await answer.json();
      words = `Visitors get serving position ${count(status.serving_counter)}, ${count(status.waiting_num)} waiting and ${
        status.message ? `the message “${status.message}”` : 'no message'
      }. The public API answered in ${count(performance.now() - began)} ms.`;
    } catch (error) {
      outcome = 'refused';
      words = `The public API did not answer as it should (${error.message}).`;
    }
    if (api === this.#desk.api) {
      this.#desk.tell(this.#card, outcome, words);
      this.#desk.log.add('Check what visitors get', outcome, words);
    }
  }

  #left() {
    const left = LONGEST - [...byId('message').value].length;
    markWrong(byId('message'), left < 0);
    write(byId('message-left'), left < 0
      ? `${count(-left)} characters too many.`
      : left <= 100 ? `${count(left)} characters left.` : 'Plain text, up to 500 characters.');
  }
}
