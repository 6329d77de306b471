// SPDX-License-Identifier: Apache-2.0
/** The operator's message, and what visitors get from the public side. */

import { STATUS, fits } from './responses.js';
import { cardOf } from './panel-context.js';
import { byId, markWrong, write } from './dom.js';
import { count } from './format.js';

export const LONGEST = 500; // characters, as the API counts them: code points

export class MessageCard {
  #desk;
  #card = cardOf(byId('message-form'));
  #shown = null; // the message that stands; null before any figures
  #edited = false;

  constructor(desk) {
    this.#desk = desk;
    byId('message').addEventListener('input', () => {
      this.#edited = true;
      this.#left();
    });
    byId('message-form').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#send(byId('message').value);
    });
    byId('message-clear').addEventListener('click', () => this.#send(''));
    byId('check-public').addEventListener('click', () => this.#check());
  }

  /** Follow what stands; what the operator is writing stays. */
  show({ message }) {
    if (this.#shown !== null && message !== this.#shown) {
      this.#desk.log.add('Message changed elsewhere', 'seen', standsWords(message));
    }
    this.#stands(message);
  }

  clear() {
    this.#shown = null;
    this.#edited = false;
    byId('message').value = '';
    write(byId('message-now'), '');
    this.#desk.tell(this.#card, 'done', '');
    byId('check-public').hidden = !this.#desk.publicApi;
    this.#left();
  }

  #stands(message) {
    this.#shown = message;
    write(byId('message-now'), standsWords(message));
    if (!this.#edited && byId('message').value !== message) byId('message').value = message;
    this.#left();
  }

  async #send(text) {
    if (lengthOf(text) > LONGEST) {
      this.#desk.tell(this.#card, 'refused', `The message is longer than ${LONGEST} characters.`);
      return;
    }
    await this.#desk.act(
      this.#card,
      text.trim() ? 'Publish message' : 'Remove message',
      (api) => api.setMessage(text),
      ({ message }) => (message ? 'Message published.' : 'Message removed.'),
      {
        then: ({ message }) => {
          this.#edited = false;
          this.#stands(message);
        },
      },
    );
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
      if (!fits(status, STATUS)) throw new Error('an unexpected answer');
      words = `Visitors see serving position ${count(status.serving_counter)}, ${count(status.waiting_num)} waiting, and ${
        status.message ? `the message ${quoted(status.message)}` : 'no message'
      }. Answered in ${count(performance.now() - began)} ms.`;
    } catch (error) {
      outcome = 'refused';
      words = `The public API did not answer as expected (${error.message}).`;
    }
    if (api === this.#desk.api) {
      this.#desk.tell(this.#card, outcome, words);
      this.#desk.log.add('Check the visitors’ view', outcome, words);
    }
  }

  #left() {
    const left = LONGEST - lengthOf(byId('message').value);
    markWrong(byId('message'), left < 0);
    write(byId('message-left'), leftWords(left));
  }
}

/** How many characters a message has for the API, which removes the blanks around it. */
export function lengthOf(text) {
  return [...text.trim()].length;
}

/** How much more may be written, in words. */
export function leftWords(left) {
  if (left < 0) return `${count(-left)} ${left === -1 ? 'character' : 'characters'} too many.`;
  if (left <= 100) return `${count(left)} ${left === 1 ? 'character' : 'characters'} left.`;
  return `Plain text, up to ${LONGEST} characters.`;
}

/** The message that stands, in words. */
export function standsWords(message) {
  return message ? `Visitors see: ${quoted(message)}` : 'Visitors see no message.';
}

/** A message between quotes, in its own direction: each of its lines is isolated. */
export function quoted(message) {
  return `“${message.split('\n').map((line) => `\u2068${line}\u2069`).join('\n')}”`;
}
