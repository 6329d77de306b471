// SPDX-License-Identifier: Apache-2.0
/** Client of the private API: one method per operation, one call per method. */

import { ALARMS, AUDIT, DELETED, EVENT, EVENTS, EXPIRED, GATED_EVENT, HISTORY, INLET, MESSAGE, MOVED, RESET, VISITOR, matches } from './responses.js';
import { CallError, explain, explainNoResponse } from './errors.js';
import { readMetrics } from '../live/metrics.js';

const NOT_THE_API = 'The response did not come from the private API. Check its address. On a public network, sign in to the network first.';
const TIMEOUT = 10; // seconds; longer than the API's own timeout

/**
 * `signedFetch(url, init)` signs and sends a request. `blocked(url)` returns, or resolves to, whether
 * the page's Content-Security-Policy blocked a call to that address. `rights()` returns what to do if
 * the keys do not allow a call; empty for the usual text.
 */
export class PrivateApi {
  #endpoint;
  #eventId;
  #fetch;
  #clock;
  #blocked;
  #rights;

  constructor({ endpoint, eventId, signedFetch, clock = Date.now, blocked = () => false, rights = () => '' }) {
    this.#endpoint = endpoint;
    this.#eventId = eventId;
    this.#fetch = signedFetch;
    this.#clock = clock;
    this.#blocked = blocked;
    this.#rights = rights;
  }

  get eventId() {
    return this.#eventId;
  }

  /** Return a client of another event, with the same keys. */
  of(eventId) {
    return new PrivateApi({
      endpoint: this.#endpoint, eventId, signedFetch: this.#fetch, clock: this.#clock, blocked: this.#blocked,
      rights: this.#rights,
    });
  }

  /** Read a page of at most 100 events; `mark` is the `next_token` of the previous page. */
  async events(mark = null) {
    const search = mark ? `?${new URLSearchParams({ next_token: mark })}` : '';
    const { body } = await this.#call(`${this.#endpoint}/events${search}`, { method: 'GET' });
    return checked(body, EVENTS, false);
  }

  /** Read the document of the event, with `serverTime` in epoch ms, or null. */
  async event() {
    const { body, serverTime } = await this.#call(this.#path(), { method: 'GET' });
    return { ...checked(body, EVENT, false), serverTime };
  }

  /** Read the document of any event, with the rules of its gate. */
  async gatedEvent(eventId) {
    const { body } = await this.#call(this.#path(eventId), { method: 'GET' });
    return checked(body, GATED_EVENT, false);
  }

  /** Create the event with a document, or replace the document of a version. */
  async putEvent(document, version) {
    const { body } = await this.#send(this.#path(), document, { method: 'PUT', ...ifMatch(version) });
    return checked(body, EVENT, true);
  }

  /** Change members of the document of a version (JSON Merge Patch). */
  async patchEvent(members, version) {
    const { body } = await this.#send(this.#path(), members, { method: 'PATCH', ...ifMatch(version) });
    return checked(body, EVENT, true);
  }

  /** Delete the event, if it has this version. */
  async deleteEvent(version) {
    const { body } = await this.#call(this.#path(), { method: 'DELETE', ...ifMatch(version) });
    return checked(body, DELETED, true);
  }

  /** Read the alarms of the room, and the brake of the event. */
  async alarms() {
    return this.#look('/alarms', {}, ALARMS);
  }

  /** Read a page of the audit log; `mark` is the `next_token` of the previous page. */
  async audit(mark = null) {
    const search = mark ? `?${new URLSearchParams({ next_token: mark })}` : '';
    const { body } = await this.#call(`${this.#path()}/audit${search}`, { method: 'GET' });
    return checked(body, AUDIT, false);
  }

  /** Read a point each `step` seconds: since a time (epoch seconds), or of the last 24 hours. */
  async history(step, since = null) {
    const search = new URLSearchParams({ step, ...(since === null ? {} : { from: since }) });
    const { body } = await this.#call(`${this.#path()}/history?${search}`, { method: 'GET' });
    return checked(body, HISTORY, false);
  }

  /** Carry out an action of the event; the response is its document. */
  async act(action, content = {}) {
    const { body } = await this.#send(`${this.#path()}/actions/${action}`, content);
    return checked(body, EVENT, true);
  }

  /** Read all metrics, with `serverTime`: the API's own time in epoch ms, or null. */
  async metrics() {
    const { body, serverTime } = await this.#get('/metrics');
    try {
      const now = Number.isFinite(body.now) ? body.now * 1000 : serverTime;
      return Object.freeze({ ...readMetrics(body), serverTime: now });
    } catch {
      throw new CallError('address', NOT_THE_API, { status: 200 });
    }
  }

  /** Move the serving position. Idempotent for the same `callId`. */
  increment(by, callId) {
    return this.#change('/increment_serving_counter', { increment_by: by, call_id: callId }, MOVED);
  }

  setMessage(message) {
    return this.#change('/update_message', { message }, MESSAGE);
  }

  /** `query`: `{request_id}`, `{queue_number}` or `{reference}`. */
  lookUp(query) {
    return this.#look('/request_status', query, VISITOR);
  }

  /** `status`: 1 completed, -1 abandoned. Idempotent for the same `callId`. */
  endSession(requestId, status, callId) {
    return this.#change('/update_session', { request_id: requestId, status, call_id: callId }, {});
  }

  /** Read a page of expired tokens; `mark` is the `next_token` of the previous page. */
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

  /** Reset the generation that the operator saw; the API rejects any other. */
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
    return this.#send(`${this.#endpoint}${path}`, { event_id: this.#eventId, ...content });
  }

  #send(url, content, { method = 'POST', headers = {} } = {}) {
    return this.#call(url, {
      method,
      headers: { 'Content-Type': 'application/json', ...headers },
      body: JSON.stringify(content),
    });
  }

  #path(eventId = this.#eventId) {
    return `${this.#endpoint}/events/${encodeURIComponent(eventId)}`;
  }

  async #call(url, init) {
    const changes = init.method !== 'GET';
    const wasOnline = globalThis.navigator?.onLine ?? true; // false does not stop a call to this device
    let response;
    let text;
    try {
      response = await this.#fetch(url, {
        ...init,
        cache: 'no-store',
        credentials: 'omit',
        redirect: 'error',
        signal: AbortSignal.timeout(TIMEOUT * 1000),
      });
      text = await response.text();
    } catch (error) {
      if (error instanceof CallError) throw error; // the sign-in has ended, so nothing was sent
      const online = globalThis.navigator?.onLine ?? true;
      throw explainNoResponse({ error, online, blocked: await this.#blocked(url), changes, timeout: TIMEOUT, wasOnline });
    }
    const body = parsed(text);
    const serverTime = Date.parse(response.headers.get('Date') ?? '');
    if (!response.ok || response.status === 202) {
      throw explain({
        status: response.status,
        body,
        changes,
        serverTime,
        localTime: this.#clock(),
        retryAfter: Number(response.headers.get('Retry-After')) || 0,
        rights: this.#rights(),
      });
    }
    if (body === null) {
      throw new CallError('address', NOT_THE_API, { status: response.status, unconfirmed: changes });
    }
    return { body, serverTime: Number.isFinite(serverTime) ? serverTime : null };
  }
}

/** Return the header for a call that applies to one version only; null: to a new event. */
function ifMatch(version) {
  return version === null ? {} : { headers: { 'If-Match': `"${version}"` } };
}

/** Validate a response body; an unexpected body did not come from the API, whatever its status. */
function checked(body, shape, changes) {
  if (!matches(body, shape)) throw new CallError('address', NOT_THE_API, { status: 200, unconfirmed: changes });
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
