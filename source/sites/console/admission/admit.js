// SPDX-License-Identifier: Apache-2.0
/** Card that moves the serving position. */

import { confirmed } from '../page/confirm.js';
import { cardOf, newCallId } from '../page/console-context.js';
import { byId, markWrong, write } from '../page/dom.js';
import { GONE, admissionRefusal, automaticStrategy } from '../events/events.js';
import { previewMove } from '../live/metrics.js';
import { count, some, time } from '../page/format.js';

export const MAX_MOVE = 1_000_000; // maximum that the API accepts per move
export const LARGE = 10_000; // a forward move above this asks for confirmation
export const FAR = 100; // so does a move with this many positions, and most of them, without a waiting visitor

export class AdmitCard {
  #context;
  #externalMoves;
  #card = cardOf(byId('admit'));
  #confirming = false; // true while a confirmation is open
  #lastMove = null; // the move that can be undone: {by, serving, generation}

  /** `externalMoves` detects moves by an inlet or another operator. */
  constructor(context, externalMoves) {
    this.#context = context;
    this.#externalMoves = externalMoves;
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

  /** Show the effect of the entered number in both directions, and the latest external move. */
  show() {
    const by = wholeNumber(byId('admit-by').value);
    const { metrics } = this.#context;
    write(byId('move-preview'), by && metrics ? moveText(previewMove(metrics, by)) : '');
    write(byId('move-back-preview'), by && metrics ? moveBackText(previewMove(metrics, -by), metrics) : '');
    byId('move-back-preview').hidden = !by;
    write(byId('moved-elsewhere'), externalMoveText(this.#externalMoves.last, automaticStrategy(this.#context.event)));
    this.#showRefusal();
  }

  /** Mark the buttons while the phase does not allow a move. */
  #showRefusal() {
    const refusal = this.#refusal();
    write(byId('admit-reason'), refusal);
    byId('admit-go').classList.toggle('main', !refusal);
    for (const button of this.#card.querySelectorAll('button:not([data-again])')) {
      button.toggleAttribute('data-forbidden', Boolean(refusal));
      if (refusal) button.setAttribute('aria-describedby', 'admit-reason');
      else button.removeAttribute('aria-describedby');
    }
  }

  #refusal() {
    return this.#context.gone ? GONE : admissionRefusal(this.#context.phase);
  }

  /** Show why no move is possible now; returns whether there is a reason. */
  #refused() {
    this.#context.endRefusal(this.#card);
    const refusal = this.#refusal();
    if (refusal) this.#context.refuse(this.#card, refusal, this.#context.phase);
    return refusal !== '';
  }

  /** The number in the field, or null. */
  get draft() {
    return byId('admit-by').value || null;
  }

  set draft(text) {
    byId('admit-by').value = text;
    this.show();
  }

  /** Apply new metrics; after an external move, the last move cannot be undone. */
  follow(metrics) {
    if (!canUndo(this.#lastMove, metrics)) this.#forget();
    this.show();
  }

  clear() {
    byId('admit-by').value = '';
    markWrong(byId('admit-by'), false);
    this.#forget();
    this.#context.showResult(this.#card, 'done', '');
    this.show();
  }

  async #moveByInput(direction) {
    if (this.#refused()) return;
    const input = byId('admit-by');
    const by = wholeNumber(input.value);
    markWrong(input, !by);
    if (!by) {
      this.#context.showResult(this.#card, 'refused', `Enter a whole number from 1 to ${count(MAX_MOVE)}.`);
      input.focus();
      return;
    }
    if ((await this.#move(direction * by)) !== null) {
      input.value = '';
      this.show();
    }
  }

  async #move(by) {
    const { api, metrics } = this.#context;
    if (metrics === null || this.#card.dataset.busy || this.#confirming || this.#refused()) return null;
    this.#confirming = true;
    try {
      // the metrics may be some seconds old: read them again before asking for confirmation
      const question = confirmationFor(by, metrics) && confirmationFor(by, await api.metrics().catch(() => metrics));
      if (api !== this.#context.api || (question && !(await confirmed(question)))) return null;
    } finally {
      this.#confirming = false;
    }
    return this.#send(by, by > 0 ? `Admit ${count(by)}` : `Move back by ${count(-by)}`, true);
  }

  /** Move with one call that has its own `call_id`. */
  #send(by, action, undoable) {
    const callId = newCallId();
    const { metrics } = this.#context;
    this.#forget();
    return this.#context.runAction(this.#card, action, (api) => api.increment(by, callId),
      (response) => `The serving position is now ${count(response.serving_num)}.`, {
        once: true,
        then: ({ serving_num: serving }) => {
          this.#externalMoves.recordOwn(by, serving, Date.now());
          if (!undoable) return;
          const moved = by < 0 && serving === 0 ? -metrics.serving : by;
          this.#lastMove = { by: moved, serving, generation: metrics.generation };
          byId('undo-move').hidden = moved === 0;
          write(byId('undo-move'), `Undo: move ${moved > 0 ? 'back' : 'forward'} by ${count(Math.abs(moved))}`);
        },
      });
  }

  /** Move back by the same number, unless the position was moved in the meantime. */
  async #undo() {
    const { api } = this.#context;
    const lastMove = this.#lastMove;
    if (api === null || lastMove === null || this.#card.dataset.busy || this.#refused()) return;
    this.#forget();
    byId('main').focus();
    let metrics;
    try {
      metrics = await api.metrics();
    } catch (error) {
      if (api === this.#context.api) this.#context.showResult(this.#card, 'refused', `Nothing was undone. ${error.message}`);
      return;
    }
    if (api !== this.#context.api) return;
    if (!canUndo(lastMove, metrics)) {
      this.#context.showResult(this.#card, 'refused', `Nothing was undone: the serving position has moved since, to ${count(metrics.serving)}.`);
      return;
    }
    await this.#send(-lastMove.by, `Undo: move ${lastMove.by > 0 ? 'back' : 'forward'} by ${count(Math.abs(lastMove.by))}`, false);
  }

  #forget() {
    this.#lastMove = null;
    const button = byId('undo-move');
    if (button === document.activeElement) byId('main').focus();
    button.hidden = true;
  }
}

/** Parse a whole number from 1 to `MAX_MOVE`; null for anything else. */
export function wholeNumber(text) {
  const digits = text.trim().replace(/^\+/, '').replace(/(\d)[,\u00a0 ](?=\d{3}\b)/g, '$1');
  const number = /^\d{1,7}$/.test(digits) ? Number(digits) : 0;
  return number >= 1 && number <= MAX_MOVE ? number : null;
}

/** Return whether a move can be undone: no later move, and no reset. */
export function canUndo(made, metrics) {
  return made !== null && metrics !== null && made.serving === metrics.serving && made.generation === metrics.generation;
}

/** Options of `confirmed` for a move; null if the move needs no confirmation. */
export function confirmationFor(by, metrics) {
  const next = previewMove(metrics, by);
  if (by < 0) {
    return { title: 'Move the serving position back?', words: moveBackText(next, metrics), action: 'Move back' };
  }
  const forNobody = by - next.served;
  const far = forNobody >= FAR && forNobody >= next.served;
  if (by <= LARGE && !far) return null;
  return {
    title: `Admit ${count(by)}?`,
    words: far ? `${fewText(metrics)} ${moveText(next)}` : moveText(next),
    action: `Admit ${count(by)}`,
  };
}

/** Describe those who wait; the number of waiting visitors also has those with an open turn. */
function fewText({ inQueue, openTurns = 0 }) {
  if (openTurns === 0) return `Only ${some(inQueue, 'visitor is', 'visitors are')} waiting.`;
  return `Only ${some(inQueue, 'visitor waits', 'visitors wait')} behind the serving position; ${some(openTurns, 'visitor has a turn', 'visitors have their turn')} and did not enter yet.`;
}

/** Describe the effect of a move back. */
export function moveBackText({ from, to, served }, metrics) {
  const who = served < 0
    ? `Visitors ${count(to + 1)} to ${count(metrics.served)} without a token wait again; tokens already issued stay valid.`
    : 'No visitor is affected.';
  return `Back: ${count(from)} → ${count(to)}. ${who}`;
}

/** Describe the effect of a move forward. */
export function moveText({ from, to, served, ahead }) {
  const parts = [served > 0 ? `${some(served, 'more visitor')} may enter` : 'no one is waiting for these positions'];
  if (ahead > 0) parts.push(`the next ${some(ahead, 'visitor')} to join ${ahead === 1 ? 'goes' : 'go'} straight in`);
  const words = parts.join('; ');
  return `${count(from)} → ${count(to)}: ${words}.`;
}

/** Describe the latest external move. `strategy`: that of automatic admission, or empty. */
export function externalMoveText(move, strategy = '') {
  if (!move) return '';
  const who = strategy ? `automatic admission (${strategy})` : 'an inlet';
  return `Moved from ${count(move.from)} to ${count(move.to)} by ${who} or another operator (seen ${time(move.at)}).`;
}
