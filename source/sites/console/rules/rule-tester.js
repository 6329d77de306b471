// SPDX-License-Identifier: Apache-2.0
/**
 * Rule tester: shows which rule of which event decides about an address. The decision is that of the
 * edge (`source/edge`), on the documents of the events.
 */

import { AddressError, explain, requestOf } from '../../../edge/explanation.js';
import { cardOf } from '../page/console-context.js';
import { announce, byId, make, markWrong, write } from '../page/dom.js';
import { ORDER, factsOf, isPath, parsePairs, requestText, resultText, rowsOf, rulesText, siteOf } from './tested-request.js';

const AT_ONCE = 6; // documents that are read at the same time
const MAX_PAGES = 50; // of the list; a room has at most 1,000 events on 10 pages
const FIELDS = ['rule-address', 'rule-headers', 'rule-cookies'];

export class RuleTester {
  #context;
  #card = cardOf(byId('rule-form'));
  #documents = new Map(); // event id → document; used again while the list has its version
  #sequence = 0; // number of the latest test: an earlier one shows nothing

  constructor(context) {
    this.#context = context;
    byId('rule-form').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#test();
    });
  }

  /** Forget input, result and documents. */
  clear() {
    this.#documents.clear();
    byId('rule-form').reset();
    byId('rule-more').open = false;
    this.clearResult();
  }

  /** Forget the result. */
  clearResult() {
    this.#sequence += 1;
    for (const field of FIELDS) markWrong(byId(field), false);
    this.#show(null);
    this.#context.showResult(this.#card, 'done', '');
  }

  async #test() {
    if (this.#card.dataset.busy) return;
    this.clearResult();
    const sequence = this.#sequence;
    const { request, isBare, field, wrong } = readForm();
    if (wrong) {
      markWrong(byId(field), true);
      if (field !== 'rule-address') byId('rule-more').open = true;
      this.#context.showResult(this.#card, 'refused', wrong);
      announce(wrong);
      byId(field).focus();
      return;
    }
    const found = await this.#context.runQuery(this.#card, `Test ${requestText(isBare ? { ...request, host: '' } : request)}`,
      async (api) => {
        const assumed = isBare ? siteOf(await readEvent(api)) : null;
        const tested = assumed ? { ...request, host: assumed.site.replace(/^.*:\/\//, '') } : request;
        const { documents, unread } = await this.#read(api);
        const now = Math.floor(this.#context.serverClock.now());
        return { request: tested, documents, unread, assumed, explanation: explain(tested, documents, now) };
      },
      ({ documents, unread, explanation }) => resultText(explanation, documents, unread));
    if (found && sequence === this.#sequence) this.#show(found);
  }

  /** Read the documents of all events behind a gate; `unread`: ids that the keys do not allow. */
  async #read(api) {
    const rows = await listOf(api);
    const unread = rows === null ? ['other events'] : [];
    const wanted = rows === null
      ? [{ event_id: api.eventId, version: null }]
      : rows.filter(({ gated }) => gated !== false);
    const documents = new Map();
    const waiting = [...wanted];
    const work = async () => {
      for (let row = waiting.shift(); row; row = waiting.shift()) {
        const document = await this.#document(api, row, unread);
        if (document?.protect.length) documents.set(row.event_id, document);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    if (api === this.#context.api) this.#documents = documents;
    return { documents: Object.fromEntries(documents), unread };
  }

  /** Return a document; null if the event was deleted or may not be read. */
  async #document(api, { event_id: eventId, version, phase }, unread) {
    const known = this.#documents.get(eventId);
    if (known?.version === version) return { ...known, phase };
    try {
      return await api.gatedEvent(eventId);
    } catch (error) {
      if (error.kind === 'rights' && eventId !== api.eventId) unread.push(eventId);
      else if (error.status !== 404 || !error.own) throw error;
      return null;
    }
  }

  #show(found) {
    byId('tested').hidden = found === null;
    const { request, documents, unread, assumed, explanation } = found ?? {};
    const facts = found ? factsOf(request, explanation, documents, unread, assumed) : [];
    byId('tested-facts').replaceChildren(...facts.flatMap(
      ([name, value]) => [make('dt', {}, name), make('dd', {}, make('bdi', {}, value))],
    ));
    const rules = explanation?.rules ?? [];
    byId('tested-rules').hidden = rules.length === 0;
    write(byId('tested-count'), rulesText(rules.length));
    write(byId('tested-order'), ORDER);
    byId('tested-rows').replaceChildren(...rowsOf(rules).map(([number, ...cells]) => make('tr', {},
      make('th', { scope: 'row' }, number), ...cells.map((cell) => make('td', {}, make('bdi', {}, cell))))));
  }
}

/** Read the form: `{request, isBare}`, or `{field, wrong}` with a message. `isBare`: the address is a path only. */
function readForm() {
  const headers = parsePairs(byId('rule-headers').value, ':');
  const cookies = parsePairs(byId('rule-cookies').value, '=');
  if (headers.wrong) return { field: 'rule-headers', wrong: `Line ${headers.wrong} of the headers needs a name, a colon and a value.` };
  if (cookies.wrong) return { field: 'rule-cookies', wrong: `Line ${cookies.wrong} of the cookies needs a name, = and a value.` };
  const address = byId('rule-address').value;
  const isBare = isPath(address);
  try {
    const request = requestOf({
      address: isBare ? `${siteOf(null).site}${address.trim()}` : address,
      method: byId('rule-method').value,
      headers: headers.pairs,
      cookies: cookies.pairs,
      userAgent: byId('rule-agent').value,
    });
    return { request, isBare };
  } catch (error) {
    if (!(error instanceof AddressError)) throw error;
    return { field: 'rule-address', wrong: `${error.message[0].toUpperCase()}${error.message.slice(1)}.` };
  }
}

/** Read the document of the chosen event; null if the keys do not allow it, or the event was deleted. */
async function readEvent(api) {
  try {
    return await api.gatedEvent(api.eventId);
  } catch (error) {
    if (error.kind === 'rights' || error.status === 404) return null;
    throw error;
  }
}

/** Read all pages of the list of events; null if the keys do not allow the list. */
async function listOf(api) {
  const rows = [];
  try {
    for (let page = 0, mark = null; page < MAX_PAGES && mark !== undefined; page += 1) {
      const { events, next_token: next } = await api.events(mark);
      rows.push(...events);
      mark = next ?? undefined;
    }
  } catch (error) {
    if (error.kind === 'rights') return null;
    throw error;
  }
  return rows;
}
