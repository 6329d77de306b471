// SPDX-License-Identifier: Apache-2.0
/** Card that looks up a visitor and ends the visitor's session. */

import { confirmed } from '../page/confirm.js';
import { cardOf, newCallId } from '../page/console-context.js';
import { byId, make, markWrong } from '../page/dom.js';
import { count, dateTime, some, span } from '../page/format.js';
import { parseVisitorQuery } from './visitor-query.js';

export const STATES = {
  waiting: 'Waiting',
  eligible: 'Served, no token yet',
  token_issued: 'On the site: has a valid token',
  completed: 'Completed',
  abandoned: 'Abandoned',
  position_expired: 'Turn expired',
  token_expired: 'Token expired',
};

export class VisitorCard {
  #context;
  #card = cardOf(byId('visitor-form'));
  #found = null;
  #sequence = 0; // number of the latest look-up: a response to an earlier one is discarded

  constructor(context) {
    this.#context = context;
    byId('visitor-form').addEventListener('submit', (event) => {
      event.preventDefault();
      this.lookUp(byId('visitor-query').value);
    });
    byId('mark-completed').addEventListener('click', () => this.#end(1, 'completed'));
    byId('mark-abandoned').addEventListener('click', () => this.#end(-1, 'abandoned'));
  }

  /** Look up a visitor by reference, queue number or request id, and show the result. */
  async lookUp(text) {
    this.#card.scrollIntoView({ block: 'nearest' });
    const { wrong, ...query } = parseVisitorQuery(text);
    if (this.#card.dataset.busy) return;
    this.#sequence += 1;
    this.#show(null);
    markWrong(byId('visitor-query'), Boolean(wrong));
    if (wrong) {
      this.#context.showResult(this.#card, 'refused', wrong);
      byId('visitor-query').focus();
      return;
    }
    byId('visitor-query').value = Object.values(query)[0];
    const found = await this.#context.runQuery(this.#card, 'Look up a visitor', (api) => api.lookUp(query),
      (response) => `Visitor ${nameOf(response)}: ${lowered(stateText(response.state))}.`);
    if (found) this.#show(found);
  }

  clear() {
    this.#sequence += 1;
    byId('visitor-query').value = '';
    markWrong(byId('visitor-query'), false);
    this.#show(null);
    this.#context.showResult(this.#card, 'done', '');
  }

  /** The text in the field, or null. */
  get draft() {
    return byId('visitor-query').value || null;
  }

  set draft(text) {
    byId('visitor-query').value = text;
  }

  #show(found) {
    this.#found = found;
    byId('visitor').hidden = found === null;
    byId('visitor-session').hidden = found?.state !== 'token_issued';
    byId('visitor').replaceChildren(...(found ? factsOf(found, this.#context.metrics) : []).flatMap(
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
    await this.#context.runAction(this.#card, `Mark visitor ${nameOf(found)} ${word}`,
      (api) => api.endSession(found.request_id, status, callId), () => `The session is marked ${word}.`,
      { once: true, then: () => this.#ended(found.request_id) });
  }

  async #ended(requestId) {
    byId('visitor-session').hidden = true;
    byId('visitor-query').focus();
    const { api } = this.#context;
    this.#sequence += 1;
    const sequence = this.#sequence;
    const found = await api.lookUp({ request_id: requestId }).catch(() => null);
    if (api === this.#context.api && sequence === this.#sequence) this.#show(found);
  }
}

/** Describe a visitor as pairs of name and value. */
export function factsOf(found, metrics) {
  const facts = [
    ['State', stateText(found.state)],
    ['Queue number', count(found.queue_number)],
  ];
  if (found.reference) facts.push(['Reference', found.reference]);
  const before = metrics ? found.queue_number - metrics.serving : 0;
  if (found.state === 'waiting' && before > 0) facts.push(['Turn comes in', some(before, 'position')]);
  facts.push(['Joined', dateTime(found.entry_time * 1000)]);
  if (Number.isFinite(found.expires_in)) {
    facts.push([found.state === 'token_issued' ? 'Token valid for' : 'Turn ends in', span(found.expires_in)]);
  }
  facts.push(['Request ID', found.request_id]);
  return facts;
}

/** A visitor's name in the log; it gives no access to a token. */
function nameOf(found) {
  return found.reference ?? count(found.queue_number);
}

function stateText(state) {
  return STATES[state] ?? String(state);
}

function lowered(text) {
  return text[0].toLowerCase() + text.slice(1);
}
