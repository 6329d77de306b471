// SPDX-License-Identifier: Apache-2.0
/** What the cards of the panel share: the signed-in API, the latest figures, and one way to act. */

import { write } from './dom.js';

const SLOW = 500; // milliseconds without an answer after which a card says that it waits

export class Desk {
  /** The API while somebody is signed in, else null. */
  api = null;
  /** The latest figures, or null. */
  figures = null;
  /** The public API's address; may be empty. */
  publicApi = '';

  /** `refresh()` asks for the figures anew. */
  constructor({ log, refresh }) {
    this.log = log;
    this.refresh = refresh;
  }

  /**
   * Do one thing: one call, whose answer is shown on the card and kept in the log.
   *
   * `call(api)` promises an answer, `said(answer)` puts it in words. Answers what the API
   * answered, or null when it refused. While a card's action runs, its buttons do nothing.
   */
  async act(card, action, call, said) {
    const { api } = this;
    if (api === null || card.dataset.busy) return null;
    card.dataset.busy = 'yes';
    card.setAttribute('aria-busy', 'true');
    const slow = setTimeout(() => this.tell(card, 'busy', 'Waiting for the API…'), SLOW);
    try {
      const answer = await call(api);
      if (api !== this.api) return null; // signed out meanwhile
      const words = said(answer);
      this.tell(card, 'done', words);
      this.log.add(action, 'done', words);
      return answer;
    } catch (error) {
      if (api !== this.api) return null;
      const outcome = error.unsure ? 'unsure' : 'refused';
      const words = error.unsure
        ? `${error.message} It may have been done all the same: look at the figures before you try again.`
        : error.message;
      this.tell(card, outcome, words);
      this.log.add(action, outcome, words);
      if (!error.kind) console.error(error); // a mistake of this page
      return null;
    } finally {
      clearTimeout(slow);
      delete card.dataset.busy;
      card.removeAttribute('aria-busy');
      this.refresh();
    }
  }

  /** Show words on a card; they go when the card says something else. */
  tell(card, outcome, words) {
    const place = card.querySelector('.answer');
    place.dataset.outcome = outcome;
    place.hidden = !words;
    write(place, words);
  }
}

/** The card around an element. */
export function cardOf(node) {
  return node.closest('.card');
}
