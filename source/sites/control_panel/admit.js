// SPDX-License-Identifier: Apache-2.0
/** Moving the serving position. */

import { confirmed } from './confirm.js';
import { cardOf, newCallId } from './panel-context.js';
import { byId, markWrong, write } from './dom.js';
import { outlook } from './metrics.js';
import { count, some, time } from './format.js';

export const MOST = 1_000_000; // what the API takes in one move
export const LARGE = 10_000; // a forward move above this asks for confirmation
export const FAR = 100; // so does one that opens this many turns, and most of its own, for nobody

export class AdmitCard {
  #desk;
  #elsewhere;
  #card = cardOf(byId('admit'));
  #asks = false; // whether the operator is being asked about a move
  #made = null; // the move that can be undone: {by, serving, generation}

  /** `elsewhere` knows of the moves that were made elsewhere. */
  constructor(desk, elsewhere) {
    this.#desk = desk;
    this.#elsewhere = elsewhere;
    for (const button of this.#card.querySelectorAll('[data-by]')) {
      button.addEventListener('click', () => this.#move(Number(button.dataset.by)));
    }
    byId('admit').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#moveByInput(1);
    });
    byId('move-back').addEventListener('click', () => this.#moveByInput(-1));
    byId('undo-move').addEventListener('click', () => this.#undo());
    byId('admit-by').addEventListener('input', () => this.show());
  }

  /** Show what a move by the number typed would do, either way, and what was moved elsewhere. */
  show() {
    const by = wholeNumber(byId('admit-by').value);
    const { figures } = this.#desk;
    write(byId('admit-outlook'), by && figures ? outlookWords(outlook(figures, by)) : '');
    write(byId('back-outlook'), by && figures ? backWords(outlook(figures, -by), figures) : '');
    byId('back-outlook').hidden = !by;
    write(byId('moved-elsewhere'), elsewhereWords(this.#elsewhere.last));
  }

  /** Follow new figures: a move that others have moved on from is undone no more. */
  follow(figures) {
    if (!canUndo(this.#made, figures)) this.#forget();
    this.show();
  }

  clear() {
    byId('admit-by').value = '';
    this.#forget();
    this.#desk.tell(this.#card, 'done', '');
    this.show();
  }

  async #moveByInput(direction) {
    const input = byId('admit-by');
    const by = wholeNumber(input.value);
    markWrong(input, !by);
    if (!by) {
      this.#desk.tell(this.#card, 'refused', `Enter a whole number from 1 to ${count(MOST)}.`);
      input.focus();
      return;
    }
    if ((await this.#move(direction * by)) !== null) {
      input.value = '';
      this.show();
    }
  }

  async #move(by) {
    const { api, figures } = this.#desk;
    if (figures === null || this.#card.dataset.busy || this.#asks) return null;
    this.#asks = true;
    try {
      // figures may be some seconds old: what is asked is asked of new ones, if there are any
      const question = questionOf(by, figures) && questionOf(by, await api.figures().catch(() => figures));
      if (api !== this.#desk.api || (question && !(await confirmed(question)))) return null;
    } finally {
      this.#asks = false;
    }
    return this.#send(by, by > 0 ? `Let in ${count(by)}` : `Move back by ${count(-by)}`, true);
  }

  /** Move, by one call with an id of its own. */
  #send(by, action, undoable) {
    const callId = newCallId();
    const { figures } = this.#desk;
    this.#forget();
    return this.#desk.act(this.#card, action, (api) => api.increment(by, callId),
      (answer) => `The serving position is now ${count(answer.serving_num)}.`, {
        once: true,
        then: ({ serving_num: serving }) => {
          this.#elsewhere.moved(by, serving, Date.now());
          if (!undoable) return;
          const moved = by < 0 && serving === 0 ? -figures.serving : by;
          this.#made = { by: moved, serving, generation: figures.generation };
          byId('undo-move').hidden = moved === 0;
          write(byId('undo-move'), `Undo: move ${moved > 0 ? 'back' : 'forward'} by ${count(Math.abs(moved))}`);
        },
      });
  }

  /** Move by the same amount the other way, unless the position was moved meanwhile. */
  async #undo() {
    const { api } = this.#desk;
    const made = this.#made;
    if (api === null || made === null || this.#card.dataset.busy) return;
    this.#forget();
    byId('main').focus();
    let figures;
    try {
      figures = await api.figures();
    } catch (error) {
      if (api === this.#desk.api) this.#desk.tell(this.#card, 'refused', `Nothing was undone. ${error.message}`);
      return;
    }
    if (api !== this.#desk.api) return;
    if (!canUndo(made, figures)) {
      this.#desk.tell(this.#card, 'refused', `Nothing was undone: the serving position has moved since, to ${count(figures.serving)}.`);
      return;
    }
    await this.#send(-made.by, `Undo: move ${made.by > 0 ? 'back' : 'forward'} by ${count(Math.abs(made.by))}`, false);
  }

  #forget() {
    this.#made = null;
    const button = byId('undo-move');
    if (button === document.activeElement) byId('main').focus();
    button.hidden = true;
  }
}

/** A whole number from 1 to the most that one move may be, or null. */
export function wholeNumber(text) {
  const digits = text.trim().replace(/^\+/, '').replace(/(\d)[,\u00a0 ](?=\d{3}\b)/g, '$1');
  const number = /^\d{1,7}$/.test(digits) ? Number(digits) : 0;
  return number >= 1 && number <= MOST ? number : null;
}

/** Whether a move can be undone: nothing has moved since, and the queue was not reset. */
export function canUndo(made, figures) {
  return made !== null && figures !== null && made.serving === figures.serving && made.generation === figures.generation;
}

/** What to ask before a move, for `confirmed`; null when it needs no question. */
export function questionOf(by, figures) {
  const next = outlook(figures, by);
  if (by < 0) {
    return { title: 'Move the serving position back?', words: backWords(next, figures), action: 'Move back' };
  }
  const forNobody = by - next.called;
  const far = forNobody >= FAR && forNobody >= next.called;
  if (by <= LARGE && !far) return null;
  return {
    title: `Let in ${count(by)}?`,
    words: far
      ? `Only ${some(figures.inLine, 'visitor is', 'visitors are')} waiting. ${outlookWords(next)}`
      : outlookWords(next),
    action: `Let in ${count(by)}`,
  };
}

/** What a move back means, in words. */
export function backWords({ from, to, called }, figures) {
  const who = called < 0
    ? `Visitors ${count(to + 1)} to ${count(figures.called)} without a token wait again; tokens already issued stay valid.`
    : 'No visitor is affected.';
  return `Back: ${count(from)} → ${count(to)}. ${who}`;
}

/** An outlook in words. */
export function outlookWords({ from, to, called, ahead }) {
  const parts = [called > 0 ? `${some(called, 'more visitor')} may enter` : 'no one is waiting for these places'];
  if (ahead > 0) parts.push(`the next ${some(ahead, 'visitor')} to join ${ahead === 1 ? 'goes' : 'go'} straight in`);
  const words = parts.join('; ');
  return `${count(from)} → ${count(to)}: ${words}.`;
}

/** The latest move that was made elsewhere, in words. */
export function elsewhereWords(move) {
  return move
    ? `Moved from ${count(move.from)} to ${count(move.to)} by an inlet or another operator (seen ${time(move.at)}).`
    : '';
}
