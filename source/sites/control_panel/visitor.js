// SPDX-License-Identifier: Apache-2.0
/** One visitor: where they stand, and ending their session. */

import { confirmed } from './confirm.js';
import { cardOf, newCallId } from './panel-context.js';
import { byId, make, markWrong } from './dom.js';
import { count, dateTime, some, span } from './format.js';
import { readSought } from './visitor-query.js';

export const STATES = {
  waiting: 'Waiting',
  eligible: 'Turn has come, no token yet',
  token_issued: 'On the site: has a valid token',
  completed: 'Completed',
  abandoned: 'Abandoned',
  position_expired: 'Turn expired',
  token_expired: 'Token expired',
};

export class VisitorCard {
  #desk;
  #card = cardOf(byId('visitor-form'));
  #found = null;
  #turn = 0; // counts look-ups: an answer to an earlier one is out of date

  constructor(desk) {
    this.#desk = desk;
    byId('visitor-form').addEventListener('submit', (event) => {
      event.preventDefault();
      this.lookUp(byId('sought').value);
    });
    byId('mark-completed').addEventListener('click', () => this.#end(1, 'completed'));
    byId('mark-abandoned').addEventListener('click', () => this.#end(-1, 'abandoned'));
  }

  /** Find a visitor by reference, queue number or request id, and show what the API knows. */
  async lookUp(text) {
    this.#card.scrollIntoView({ block: 'nearest' });
    const { wrong, ...sought } = readSought(text);
    if (this.#card.dataset.busy) return;
    this.#turn += 1;
    this.#show(null);
    markWrong(byId('sought'), Boolean(wrong));
    if (wrong) {
      this.#desk.tell(this.#card, 'refused', wrong);
      byId('sought').focus();
      return;
    }
    byId('sought').value = Object.values(sought)[0];
    const found = await this.#desk.look(this.#card, 'Look up a visitor', (api) => api.lookUp(sought),
      (answer) => `Visitor ${nameOf(answer)}: ${lowered(stateWords(answer.state))}.`);
    if (found) this.#show(found);
  }

  clear() {
    this.#turn += 1;
    byId('sought').value = '';
    markWrong(byId('sought'), false);
    this.#show(null);
    this.#desk.tell(this.#card, 'done', '');
  }

  #show(found) {
    this.#found = found;
    byId('visitor').hidden = found === null;
    byId('visitor-session').hidden = found?.state !== 'token_issued';
    byId('visitor').replaceChildren(...(found ? factsOf(found, this.#desk.figures) : []).flatMap(
      ([name, value]) => [make('dt', {}, name), make('dd', {}, value)],
    ));
  }

  async #end(status, word) {
    const found = this.#found;
    if (found === null || this.#card.dataset.busy) return;
    const agreed = await confirmed({
      title: `Mark the session as ${word}?`,
      words: `Visitor ${nameOf(found)} gets no more tokens. This cannot be undone. An API that only verifies the token’s signature accepts it until it expires.`,
      action: `Mark ${word}`,
    });
    if (!agreed || found !== this.#found) return;
    const callId = newCallId();
    await this.#desk.act(this.#card, `Mark visitor ${nameOf(found)} ${word}`,
      (api) => api.endSession(found.request_id, status, callId), () => `The session is marked ${word}.`,
      { once: true, then: () => this.#ended(found.request_id) });
  }

  async #ended(requestId) {
    byId('visitor-session').hidden = true;
    byId('sought').focus();
    const { api } = this.#desk;
    this.#turn += 1;
    const turn = this.#turn;
    const found = await api.lookUp({ request_id: requestId }).catch(() => null);
    if (api === this.#desk.api && turn === this.#turn) this.#show(found);
  }
}

/** What the API told about a visitor, as names and values. */
export function factsOf(found, figures) {
  const facts = [
    ['State', stateWords(found.state)],
    ['Queue number', count(found.queue_number)],
  ];
  if (found.reference) facts.push(['Reference', found.reference]);
  const before = figures ? found.queue_number - figures.serving : 0;
  if (found.state === 'waiting' && before > 0) facts.push(['Turn comes in', some(before, 'place')]);
  facts.push(['Joined', dateTime(found.entry_time * 1000)]);
  if (Number.isFinite(found.expires_in)) {
    facts.push([found.state === 'token_issued' ? 'Token valid for' : 'Turn ends in', span(found.expires_in)]);
  }
  facts.push(['Request ID', found.request_id]);
  return facts;
}

/** A visitor's name in the log: nobody can take a token with it. */
function nameOf(found) {
  return found.reference ?? count(found.queue_number);
}

function stateWords(state) {
  return STATES[state] ?? String(state);
}

function lowered(text) {
  return text[0].toLowerCase() + text.slice(1);
}
