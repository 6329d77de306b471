// SPDX-License-Identifier: Apache-2.0
/** What the cards of the panel share: the signed-in API, the latest figures, and one way to act. */

import { byId, write } from './dom.js';
import { time } from './format.js';
import { REST } from './repeated-input.js';

const SLOW = 500; // milliseconds without an answer after which a card says that it waits

export class Desk {
  /** The API while somebody is signed in, else null. */
  api = null;
  /** The latest figures, or null. */
  figures = null;
  /** The public API's address; may be empty. */
  publicApi = '';
  /** Whether this page has reset the line whose figures are shown. */
  wasReset = false;

  #again = new Map(); // card → what sends its last call again
  #refresh;
  #changed;

  /** `refresh()` asks for the figures; `changed()` too, and none asked for earlier are shown. */
  constructor({ log, refresh, changed }) {
    this.log = log;
    this.#refresh = refresh;
    this.#changed = changed;
    for (const button of document.querySelectorAll('[data-again]')) {
      button.addEventListener('click', () => this.#again.get(cardOf(button))?.());
    }
  }

  /**
   * Change one thing: one call, whose answer is shown on the card and kept in the log.
   *
   * `call(api)` promises an answer, `said(answer)` puts it in words. Answers what the API
   * answered, or null when it refused. The card's buttons wait for the answer, and a moment more.
   * `once`: the call has an id, so it may be sent again when nobody knows whether it was done;
   * `then(answer)` is told the answer of either.
   */
  act(card, action, call, said, { once = false, then = () => {} } = {}) {
    return this.#do(card, action, call, said, { changes: true, once, then });
  }

  /** Look something up, as `act`; it changes nothing. */
  look(card, action, call, said) {
    return this.#do(card, action, call, said, { changes: false, once: false, then: () => {} });
  }

  async #do(card, action, call, said, how) {
    const { api } = this;
    if (api === null || card.dataset.busy) return null;
    const pressedAt = performance.now();
    this.#offerAgain(card, null);
    wait(card, true);
    const slow = setTimeout(() => this.tell(card, 'busy', 'Waiting for the API…'), SLOW);
    try {
      const answer = await call(api);
      if (api !== this.api) return null; // signed out meanwhile
      how.then(answer);
      const words = said(answer);
      this.tell(card, 'done', words);
      this.log.add(action, 'done', words);
      return answer;
    } catch (error) {
      if (api !== this.api) return null;
      const outcome = error.unsure ? 'unsure' : 'refused';
      const words = error.unsure ? `${error.message} ${unsureWords(how.once)}` : error.message;
      this.tell(card, outcome, words);
      this.log.add(action, outcome, words);
      if (error.unsure && how.once) {
        this.#offerAgain(card, () => this.#do(card, `${action}, sent again`, call, said, how));
      }
      if (!error.kind) console.error(error); // a mistake of this page
      return null;
    } finally {
      clearTimeout(slow);
      wait(card, false);
      if (how.changes) rest(card, pressedAt + REST);
      if (how.changes) this.#changed();
      else this.#refresh();
    }
  }

  /** Show words on a card, with the time; they go when the card says something else. */
  tell(card, outcome, words) {
    const place = card.querySelector('.answer');
    place.dataset.outcome = outcome;
    place.dataset.at = time(Date.now());
    place.hidden = !words;
    write(place, words);
    if (!words) this.#offerAgain(card, null);
  }

  #offerAgain(card, send) {
    this.#again.set(card, send);
    const button = card.querySelector('[data-again]');
    if (button === null) return;
    if (send === null && button === document.activeElement) byId('main').focus();
    button.hidden = send === null;
  }
}

function unsureWords(once) {
  return once
    ? 'It may have taken effect. Check the figures, or send it again: it takes effect once.'
    : 'It may have taken effect. Check the figures before you try again.';
}

function wait(card, waits) {
  if (waits) card.dataset.busy = 'yes';
  else delete card.dataset.busy;
  card.setAttribute('aria-busy', String(waits));
  disable(card.querySelectorAll('button'), waits);
}

/** Let the buttons that change something rest until a moment of `performance.now()`. */
function rest(card, until) {
  const buttons = [...card.querySelectorAll('button')].filter((button) => button.closest('[data-once]'));
  disable(buttons, true);
  setTimeout(() => card.dataset.busy || disable(buttons, false), until - performance.now());
}

function disable(buttons, disabled) {
  for (const button of buttons) {
    if (disabled) button.setAttribute('aria-disabled', 'true');
    else button.removeAttribute('aria-disabled');
  }
}

/** The card around an element. */
export function cardOf(node) {
  return node.closest('.card');
}

/** An id for one press, so that its call takes effect once however often it is sent. */
export function newCallId() {
  return `panel-${Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}
