// SPDX-License-Identifier: Apache-2.0
/** Card of the message to visitors, with a check of the public API. */

import { publicStatus } from '../api/public-status.js';
import { cardOf } from '../page/console-context.js';
import { byId, markWrong, write } from '../page/dom.js';
import { count } from '../page/format.js';

export const MAX_LENGTH = 500; // code points, as the API counts them

export class MessageCard {
  #context;
  #card = cardOf(byId('message-form'));
  #generation = 0; // of the shown message
  #shown = null; // the current message; null before the first metrics
  #edited = false;

  constructor(context) {
    this.#context = context;
    byId('message').addEventListener('input', () => {
      this.#edited = true;
      this.#showRemaining();
    });
    byId('message-form').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#send(byId('message').value);
    });
    byId('message-clear').addEventListener('click', () => this.#send(''));
    byId('check-public').addEventListener('click', () => this.#check());
  }

  /** Show the current message; unsaved input of the operator stays. */
  show({ message, generation }) {
    if (this.#shown !== null && message !== this.#shown) {
      const what = generation !== this.#generation ? 'Message deleted by the reset' : 'Message changed elsewhere';
      this.#context.log.add(what, 'seen', currentMessageText(message));
    }
    this.#generation = generation;
    this.#showCurrent(message);
  }

  clear() {
    this.#shown = null;
    this.#edited = false;
    byId('message').value = '';
    write(byId('message-now'), '');
    this.#context.showResult(this.#card, 'done', '');
    byId('check-public').hidden = !this.#context.publicApi;
    this.#showRemaining();
  }

  /** The text that was not published, or null. */
  get draft() {
    return this.#edited ? byId('message').value : null;
  }

  set draft(text) {
    this.#edited = true;
    byId('message').value = text;
    this.#showRemaining();
  }

  #showCurrent(message) {
    this.#shown = message;
    write(byId('message-now'), currentMessageText(message));
    if (!this.#edited && byId('message').value !== message) byId('message').value = message;
    this.#showRemaining();
  }

  async #send(text) {
    if (lengthOf(text) > MAX_LENGTH) {
      this.#context.showResult(this.#card, 'refused', `The message is longer than ${MAX_LENGTH} characters.`);
      return;
    }
    await this.#context.runAction(
      this.#card,
      text.trim() ? 'Publish message' : 'Remove message',
      (api) => api.setMessage(text),
      ({ message }) => (message ? 'Message published.' : 'Message removed.'),
      {
        check: 'the visitors’ view',
        then: ({ message }) => {
          this.#edited = false;
          this.#showCurrent(message);
        },
      },
    );
  }

  /** Call the public API as a waiting page does: through CloudFront, without keys. */
  async #check() {
    const { publicApi, api } = this.#context;
    if (!publicApi || api === null) return;
    const began = performance.now();
    let words;
    let outcome = 'done';
    try {
      const status = await publicStatus(publicApi, api.eventId);
      words = `Visitors see serving position ${count(status.serving_counter)}, ${count(status.waiting_num)} waiting, and ${
        status.message ? `the message ${quoted(status.message)}` : 'no message'
      }. Response time: ${count(performance.now() - began)} ms.`;
    } catch (error) {
      outcome = 'refused';
      words = `The public API did not respond as expected (${error.message}).`;
    }
    if (api === this.#context.api) {
      this.#context.showResult(this.#card, outcome, words);
      this.#context.log.add('Check the visitors’ view', outcome, words);
    }
  }

  #showRemaining() {
    const left = MAX_LENGTH - lengthOf(byId('message').value);
    markWrong(byId('message'), left < 0);
    write(byId('message-left'), remainingText(left));
    const draft = byId('message').value.trim();
    write(byId('message-preview'), draft);
    byId('message-preview-box').hidden = draft === '' || draft === (this.#shown ?? '').trim();
  }
}

/** Length of a message in code points, without leading and trailing white space, as in the API. */
export function lengthOf(text) {
  return [...text.trim()].length;
}

/** Describe the number of characters left. */
export function remainingText(left) {
  if (left < 0) return `${count(-left)} ${left === -1 ? 'character' : 'characters'} too many.`;
  if (left <= 100) return `${count(left)} ${left === 1 ? 'character' : 'characters'} left.`;
  return `Plain text, up to ${MAX_LENGTH} characters.`;
}

/** Describe the current message. */
export function currentMessageText(message) {
  return message ? `Visitors see: ${quoted(message)}` : 'Visitors see no message.';
}

/** Quote a message; each of its lines is isolated, so that it keeps its own text direction. */
export function quoted(message) {
  return `“${message.split('\n').map((line) => `\u2068${line}\u2069`).join('\n')}”`;
}
