// SPDX-License-Identifier: Apache-2.0
/** The private API as the panel calls it: one method for each thing, one call for each method. */

import { EXPIRED, INLET, MESSAGE, MOVED, RESET, VISITOR, fits } from './responses.js';
import { CallError, explain, explainSilence } from './errors.js';
import { readFigures } from './metrics.js';

const ELSE = 'The answer did not come from the private API. Check its address. On a public network, sign in to the network first.';
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

  /** All figures, in one call; with `toldAt`, the API's own time in epoch ms, or null. */
  async figures() {
    const { body, toldAt } = await this.#get('/metrics');
    try {
      const now = Number.isFinite(body.now) ? body.now * 1000 : toldAt;
      return Object.freeze({ ...readFigures(body), toldAt: now });
    } catch {
      throw new CallError('address', ELSE, { status: 200 });
    }
  }

  /** Move the serving position; a call that is repeated with its `callId` moves it once. */
  increment(by, callId) {
    return this.#change('/increment_serving_counter', { increment_by: by, call_id: callId }, MOVED);
  }

  setMessage(message) {
    return this.#change('/update_message', { message }, MESSAGE);
  }

  /** `sought`: `{request_id}`, `{queue_number}` or `{reference}`. */
  lookUp(sought) {
    return this.#look('/request_status', sought, VISITOR);
  }

  /** `status`: 1 completed, -1 abandoned; repeated with its `callId`, it ends the session once. */
  endSession(requestId, status, callId) {
    return this.#change('/update_session', { request_id: requestId, status, call_id: callId }, {});
  }

  /** A page of expired tokens; `mark` is the one that the page before gave. */
  expiredTokens(limit, mark = null) {
    return this.#look('/expired_tokens', { limit, ...(mark ? { next_token: mark } : {}) }, EXPIRED);
  }

  inlet() {
    return this.#look('/inlet', {}, INLET);
  }

  /** `change`: `{paused}` or `{targets}`. */
  changeInlet(change) {
    return this.#change('/inlet', change, INLET);
  }

  /** Reset the line whose generation the operator saw; another one is refused. */
  reset(generation) {
    return this.#change('/reset_initial_state', { generation }, RESET);
  }

  async #look(path, query, shape) {
    return checked((await this.#get(path, query)).body, shape, false);
  }

  async #change(path, content, shape) {
    return checked((await this.#post(path, content)).body, shape, true);
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
    const serverTime = Date.parse(answer.headers.get('Date') ?? '');
    if (!answer.ok || answer.status === 202) {
      throw explain({
        status: answer.status,
        body,
        changes,
        serverTime,
        localTime: this.#clock(),
        retryAfter: Number(answer.headers.get('Retry-After')) || 0,
      });
    }
    if (body === null) {
      throw new CallError('address', ELSE, { status: answer.status, unsure: changes });
    }
    return { body, toldAt: Number.isFinite(serverTime) ? serverTime : null };
  }
}

/** An answer as it must be; an empty or strange one is not the API's, whatever its status. */
function checked(body, shape, changes) {
  if (!fits(body, shape)) throw new CallError('address', ELSE, { status: 200, unsure: changes });
  return body;
}

function parsed(text) {
  try {
    const body = JSON.parse(text);
    return body !== null && typeof body === 'object' ? body : null;
  } catch {
    return null;
  }
}
