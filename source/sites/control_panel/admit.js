// SPDX-License-Identifier: Apache-2.0
/** Moving the serving position. */

import { confirmed } from './confirm.js';
import { cardOf } from './desk.js';
import { byId, markWrong, write } from './dom.js';
import { outlook } from './figures.js';
import { count, some } from './format.js';

export const MOST = 1_000_000; // what the API takes in one move
export const LARGE = 10_000; // a forward move above this is asked about again

export class AdmitCard {
  #desk;
  #card = cardOf(byId('admit'));

  constructor(desk) {
    this.#desk = desk;
    for (const button of this.#card.querySelectorAll('[data-by]')) {
      button.addEventListener('click', () => this.#move(Number(button.dataset.by)));
    }
    byId('admit').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#moveByInput(1);
    });
    byId('move-back').addEventListener('click', () => this.#moveByInput(-1));
    byId('admit-by').addEventListener('input', () => this.show());
  }

  /** Show what a move by the number typed would do. */
  show() {
    const by = wholeNumber(byId('admit-by').value);
    const { figures } = this.#desk;
    const words = by && figures ? outlookWords(outlook(figures, by)) : '';
    write(byId('admit-outlook'), words);
  }

  clear() {
    byId('admit-by').value = '';
    this.#desk.tell(this.#card, 'done', '');
    this.show();
  }

  async #moveByInput(direction) {
    const input = byId('admit-by');
    const by = wholeNumber(input.value);
    markWrong(input, !by);
    if (!by) {
      this.#desk.tell(this.#card, 'refused', `Type a whole number from 1 to ${count(MOST)}.`);
      input.focus();
      return;
    }
    if ((await this.#move(direction * by)) !== null) {
      input.value = '';
      this.show();
    }
  }

  async #move(by) {
    const { figures } = this.#desk;
    if (figures === null) return null;
    const next = outlook(figures, by);
    if (by < 0 && !(await confirmed({
      title: 'Move the serving position back?',
      words: backWords(next, figures),
      action: 'Move back',
    }))) return null;
    if (by > LARGE && !(await confirmed({
      title: `Let in ${count(by)}?`,
      words: outlookWords(next),
      action: `Let in ${count(by)}`,
    }))) return null;
    const action = by > 0 ? `Let in ${count(by)}` : `Move back by ${count(-by)}`;
    return this.#desk.act(this.#card, action, (api) => api.increment(by),
      (answer) => `The serving position is now ${count(answer.serving_num)}.`);
  }
}

/** A whole number from 1 to the most that one move may be, or null. */
export function wholeNumber(text) {
  const digits = text.trim().replace(/^\+/, '').replace(/(\d)[,\u00a0 ](?=\d{3}\b)/g, '$1');
  const number = /^\d{1,7}$/.test(digits) ? Number(digits) : 0;
  return number >= 1 && number <= MOST ? number : null;
}

/** What a move back means, in words. */
export function backWords({ from, to, called }, figures) {
  const who = called < 0
    ? `Whoever holds a position from ${count(to + 1)} to ${count(figures.called)} and has no token yet waits again; tokens that were taken stay valid.`
    : 'Nobody in the queue is called back.';
  return `From ${count(from)} to ${count(to)}. ${who}`;
}

/** An outlook in words. */
export function outlookWords({ from, to, called, ahead }) {
  const parts = [`${count(from)} → ${count(to)}:`];
  parts.push(called > 0 ? `the turn of ${some(called, 'more visitor')} comes` : 'nobody waits for these places');
  if (ahead > 0) parts.push(`and the next ${some(ahead, 'visitor')} to join ${ahead === 1 ? 'goes' : 'go'} straight through`);
  return `${parts.join(' ')}.`;
}
