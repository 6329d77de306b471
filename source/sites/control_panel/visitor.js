// SPDX-License-Identifier: Apache-2.0
/** One visitor: where they stand, and ending their session. */

import { confirmed } from './confirm.js';
import { cardOf } from './desk.js';
import { byId, make } from './dom.js';
import { count, dateTime, some, span } from './format.js';

export const STATES = {
  waiting: 'Waiting: the turn has not come',
  eligible: 'May enter: the turn has come, no token taken yet',
  token_issued: 'Inside: holds a valid token',
  completed: 'Completed',
  abandoned: 'Abandoned',
  position_expired: 'Position expired: the turn was not taken in time',
  token_expired: 'Token expired',
};

export class VisitorCard {
  #desk;
  #card = cardOf(byId('visitor-form'));
  #requestId = '';

  constructor(desk) {
    this.#desk = desk;
    byId('visitor-form').addEventListener('submit', (event) => {
      event.preventDefault();
      this.lookUp(byId('request-id').value);
    });
    byId('mark-completed').addEventListener('click', () => this.#end(1, 'completed'));
    byId('mark-abandoned').addEventListener('click', () => this.#end(-1, 'abandoned'));
  }

  /** Look a request id up and show what the API knows. */
  async lookUp(text) {
    this.#card.scrollIntoView({ block: 'nearest' });
    const requestId = text.trim().toLowerCase();
    byId('request-id').value = requestId;
    if (!requestId) {
      this.#desk.tell(this.#card, 'refused', 'Type or paste a request ID.');
      byId('request-id').focus();
      return;
    }
    this.#show(null);
    const found = await this.#desk.act(this.#card, `Look up ${requestId}`, (api) => api.lookUp(requestId),
      (answer) => `Position ${count(answer.queue_number)}. ${stateWords(answer.state)}.`);
    if (found) this.#show(found);
  }

  clear() {
    byId('request-id').value = '';
    this.#show(null);
    this.#desk.tell(this.#card, 'done', '');
  }

  #show(found) {
    this.#requestId = found?.request_id ?? '';
    byId('visitor').hidden = found === null;
    byId('visitor-session').hidden = found?.state !== 'token_issued';
    byId('visitor').replaceChildren(...(found ? factsOf(found, this.#desk.figures) : []).flatMap(
      ([name, value]) => [make('dt', {}, name), make('dd', {}, value)],
    ));
  }

  async #end(status, word) {
    const requestId = this.#requestId;
    const agreed = await confirmed({
      title: `Mark the session ${word}?`,
      words: `Visitor ${requestId} gets no token again, and this cannot be undone. An API that checks only the token’s signature lets it through until it expires.`,
      action: `Mark ${word}`,
    });
    if (!agreed) return;
    const done = await this.#desk.act(this.#card, `Mark ${requestId} ${word}`,
      (api) => api.endSession(requestId, status), () => `The session is marked ${word}.`);
    if (done !== null) {
      byId('visitor-session').hidden = true;
      byId('request-id').focus();
      const { api } = this.#desk;
      const found = await api.lookUp(requestId).catch(() => null);
      if (api === this.#desk.api) this.#show(found);
    }
  }
}

/** What the API told about a visitor, as names and values. */
export function factsOf(found, figures) {
  const facts = [
    ['State', stateWords(found.state)],
    ['Position', count(found.queue_number)],
  ];
  const before = figures ? found.queue_number - figures.serving : 0;
  if (found.state === 'waiting' && before > 0) facts.push(['Comes after', `${some(before, 'more place')}`]);
  facts.push(['Joined', dateTime(found.entry_time * 1000)]);
  if (Number.isFinite(found.expires_in)) {
    facts.push([found.state === 'token_issued' ? 'Token valid for' : 'Turn lasts', span(found.expires_in)]);
  }
  facts.push(['Request ID', found.request_id]);
  return facts;
}

function stateWords(state) {
  return STATES[state] ?? String(state);
}
