// SPDX-License-Identifier: Apache-2.0
/** Context shared by the cards: the signed-in API, the latest metrics, and the execution of actions. */

import { announce, byId, markWrong, write } from './dom.js';
import { GONE, ServerClock } from '../events/events.js';
import { time } from './format.js';
import { COOLDOWN } from './repeated-input.js';

const WAIT_NOTICE_DELAY = 500; // milliseconds without a response after which the card shows that it waits

export class ConsoleContext {
  /** The API while an operator is signed in, otherwise null. */
  api = null;
  /** The latest metrics, or null. */
  metrics = null;
  /** The public API's address; may be empty. */
  publicApi = '';
  /** Clock of the API's server. */
  serverClock = new ServerClock();
  /** True if the keys allow the routes of this event only: no metrics, no cards that need them. */
  limited = false;
  /** Numbers of the event if the keys do not allow its metrics, or null. */
  limitedNumbers = null;
  /** The document of the chosen event, or null while it is not known. */
  event = null;
  /** True if the chosen event was deleted: no call is made for it. */
  gone = false;
  /** True if this page has reset the generation whose metrics are shown. */
  wasReset = false;

  #retries = new Map(); // card → function that repeats its last call
  #refresh;
  #changed;

  /** `refresh()` reads the metrics; `changed()` also discards responses to earlier requests. */
  constructor({ log, refresh, changed }) {
    this.log = log;
    this.#refresh = refresh;
    this.#changed = changed;
    for (const button of document.querySelectorAll('[data-again]')) {
      button.addEventListener('click', () => this.#retries.get(cardOf(button))?.());
    }
    // before the card's own listeners, which may mark the field again
    document.addEventListener('input', ({ target }) => this.#inputChanged(target), true);
  }

  /** The phase of the event; empty if it is not known. */
  get phase() {
    return this.event?.phase || this.metrics?.phase || '';
  }

  /** Return `{queue, serving, waiting}` of the event, or null. */
  get numbers() {
    return this.limited ? this.limitedNumbers : this.metrics;
  }

  /**
   * Run an action: one call, whose result is shown on the card and added to the log.
   *
   * `call(api)` resolves to a response, `describe(response)` returns its text. Returns the response,
   * or null after an error. The card's buttons are disabled until the response and the cool-down.
   * `once`: the call has a `call_id`, so it can be repeated if its effect is unconfirmed; `check`: where
   * the operator sees the effect then. `then(response)` receives the response of either call,
   * `failed(error)` the error of one.
   */
  runAction(card, action, call, describe, { once = false, check = card.id === 'editor' ? 'the event' : 'the metrics', then = () => {}, failed = () => {} } = {}) {
    return this.#do(card, action, call, describe, { changes: true, once, check, then, failed });
  }

  /** Run a read-only call; otherwise like `runAction`. */
  runQuery(card, action, call, describe) {
    return this.#do(card, action, call, describe, { changes: false, once: false, then: () => {}, failed: () => {} });
  }

  async #do(card, action, call, describe, options) {
    const { api } = this;
    if (api === null || card.dataset.busy) return null;
    this.endRefusal(card);
    if (this.gone && options.changes && card.id !== 'editor') {
      this.refuse(card, GONE);
      return null;
    }
    const pressedAt = performance.now();
    this.#offerRetry(card, null);
    setBusy(card, true);
    const slow = setTimeout(() => this.showResult(card, 'busy', 'Waiting for the API…'), WAIT_NOTICE_DELAY);
    try {
      const response = await call(api);
      if (api !== this.api) return null; // signed out in the meantime
      options.then(response);
      const words = describe(response);
      this.showResult(card, 'done', words);
      this.log.add(action, 'done', words);
      return response;
    } catch (error) {
      if (api !== this.api) return null;
      const outcome = error.unconfirmed ? 'unconfirmed' : 'refused';
      const words = error.unconfirmed ? `${error.message} ${unconfirmedText(options.once, options.check)}` : error.message;
      this.showResult(card, outcome, words, error.phase);
      this.log.add(action, outcome, words);
      options.failed(error);
      if (error.unconfirmed && options.once) {
        this.#offerRetry(card, () => this.#do(card, `${action}, sent again`, call, describe, options));
      }
      if (!error.kind) console.error(error); // a defect of this page
      return null;
    } finally {
      clearTimeout(slow);
      setBusy(card, false);
      if (options.changes) coolDown(card, pressedAt + COOLDOWN);
      if (options.changes) this.#changed();
      else this.#refresh();
    }
  }

  /**
   * Show a result on a card, with the time, until the next result. A refusal because of a `phase` ends
   * with that phase, and any refusal when a field of the card changes.
   */
  showResult(card, outcome, words, phase = '') {
    const place = card.querySelector('.result');
    place.dataset.outcome = outcome;
    place.dataset.phase = phase ?? '';
    place.dataset.at = time(Date.now());
    place.hidden = !words;
    write(place, words);
    if (!words) this.#offerRetry(card, null);
  }

  /** Show a refusal by this page, and announce it. `phase`: the phase that is the reason, or empty. */
  refuse(card, words, phase = '') {
    this.showResult(card, 'refused', words, phase);
    announce(words);
  }

  /** End the refusal that a card shows, if any. */
  endRefusal(card) {
    if (card.querySelector('.result')?.dataset.outcome === 'refused') this.showResult(card, 'done', '');
  }

  /** End the refusals because of another phase than this one. */
  endRefusalsOf(phase) {
    for (const place of document.querySelectorAll('.result[data-phase]')) {
      const { outcome, phase: refused } = place.dataset;
      if (outcome === 'refused' && refused && refused !== phase) this.showResult(cardOf(place), 'done', '');
    }
  }

  #inputChanged(field) {
    const card = cardOf(field);
    if (!card?.querySelector('.result') || card.id === 'editor' || card.dataset.busy) return;
    if (field.getAttribute('aria-invalid')) markWrong(field, false);
    this.endRefusal(card);
  }

  #offerRetry(card, send) {
    this.#retries.set(card, send);
    const button = card.querySelector('[data-again]');
    if (button === null) return;
    if (send === null && button === document.activeElement) byId('main').focus();
    button.hidden = send === null;
  }
}

function unconfirmedText(once, check) {
  return once
    ? `It may have taken effect. Check ${check}, or send it again: it takes effect once.`
    : `It may have taken effect. Check ${check} before you try again.`;
}

function setBusy(card, busy) {
  if (busy) card.dataset.busy = 'yes';
  else delete card.dataset.busy;
  card.setAttribute('aria-busy', String(busy));
  disable(card.querySelectorAll('button'), busy);
}

/** Disable the buttons that change something until a time of `performance.now()`. */
function coolDown(card, until) {
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

/** Return the card that contains an element. */
export function cardOf(node) {
  return node.closest('.card');
}

/** Create a `call_id` for one press, so that a repeated call takes effect once. */
export function newCallId() {
  return `panel-${Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}
