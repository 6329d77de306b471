// SPDX-License-Identifier: Apache-2.0
/** The private API as the panel calls it: one method for each thing, one call for each method. */

import { CallError, explain, explainSilence } from './errors.js';
import { readFigures } from './figures.js';

const ELSE = 'Something else answers at this address. Check the address of the private API.';
const TIMEOUT = 10; // seconds; the API itself gives up before

/**
 * `signedFetch(url, init)` signs and sends. `blocked(url)` tells, or promises to tell, whether the
 * page's own policy stopped a call to that address.
 */
export class PrivateApi {
  #endpoint;
  #eventId;
  #fetch;
  #clock;
  #blocked;

  constructor({ endpoint, eventId, signedFetch, clock = Date.now, blocked = () => false }) {
    this.#endpoint = endpoint;
    this.#eventId = eventId;
    this.#fetch = signedFetch;
    this.#clock = clock;
    this.#blocked = blocked;
  }

  get eventId() {
    return this.#eventId;
  }

  /** All figures, in one call. */
  async figures() {
    const answer = await this.#get('/metrics');
    try {
      return readFigures(answer);
    } catch {
      throw new CallError('address', ELSE, { status: 200 });
    }
  }

  increment(by) {
    return this.#post('/increment_serving_counter', { increment_by: by });
  }

  setMessage(message) {
    return this.#post('/update_message', { message });
  }

  lookUp(requestId) {
    return this.#get('/request_status', { request_id: requestId });
  }

  /** `status`: 1 completed, -1 abandoned. */
  endSession(requestId, status) {
    return this.#post('/update_session', { request_id: requestId, status });
  }

  /** A page of expired tokens; `mark` is the one that the page before gave. */
  expiredTokens(limit, mark = null) {
    return this.#get('/expired_tokens', { limit, ...(mark ? { next_token: mark } : {}) });
  }

  inlet() {
    return this.#get('/inlet');
  }

  /** `change`: `{paused}` or `{targets}`. */
  changeInlet(change) {
    return this.#post('/inlet', change);
  }

  /** Reset the line whose generation the operator saw; another one is refused. */
  reset(generation) {
    return this.#post('/reset_initial_state', { generation });
  }

  #get(path, query = {}) {
    const search = new URLSearchParams({ event_id: this.#eventId, ...query });
    return this.#call(`${this.#endpoint}${path}?${search}`, { method: 'GET' });
  }

  #post(path, content) {
    return this.#call(`${this.#endpoint}${path}`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ event_id: this.#eventId, ...content }),
    });
  }

  async #call(url, init) {
    const changes = init.method === 'POST';
    let answer;
    let text;
    try {
      answer = await this.#fetch(url, {
        ...init,
        cache: 'no-store',
        credentials: 'omit',
        redirect: 'error',
        signal: AbortSignal.timeout(TIMEOUT * 1000),
      });
      text = await answer.text();
    } catch (error) {
      const online = globalThis.navigator?.onLine ?? true;
      throw explainSilence({ error, online, blocked: await this.#blocked(url), changes, timeout: TIMEOUT });
    }
    const body = parsed(text);
    if (!answer.ok || answer.status === 202) {
      throw explain({
        status: answer.status,
        body,
        changes,
        serverTime: Date.parse(answer.headers.get('Date') ?? ''),
        localTime: this.#clock(),
        retryAfter: Number(answer.headers.get('Retry-After')) || 0,
      });
    }
    if (body === null) {
      throw new CallError('address', ELSE, { status: answer.status, unsure: changes });
    }
    return body;
  }
}

function parsed(text) {
  try {
    const body = JSON.parse(text);
    return body !== null && typeof body === 'object' ? body : null;
  } catch {
    return null;
  }
}
