// SPDX-License-Identifier: Apache-2.0
/*
 * Gate as a CloudFront Function (viewer request). It reads the store, calls the decision, and
 * converts requests and responses. It never throws.
 *
 * Store: `h:<host>`, or `h:*` for hosts without one: { r: rules, n: number of further parts, v: tag
 * of the parts, which are `h:<host>:<tag>:1` … }. `e:<event>`: the state of an event, with the
 * gate's keys as `k`, and `u`: 1 if requests pass while the gate cannot decide. An event that the
 * store does not have is closed.
 */
import cf from 'cloudfront';
import crypto from 'crypto';
import decision from './decision.js';

const SESSION_HEADER = 'x-waiting-room-session';
const HANDOVER = '/_waiting-room/handover';
const OPEN_WITHOUT_STORE = false; // set at build time: requests pass while no rule can be read

function hmac(key, text) {
  return crypto.createHmac('sha256', key).update(text).digest('base64url');
}

/** Values of a header or cookie of CloudFront's event: an array. */
function lookup(found) {
  return (name) => {
    if (!Object.prototype.hasOwnProperty.call(found, name)) return [];
    const one = found[name];
    return one.multiValue ? one.multiValue.map((each) => each.value) : [one.value];
  };
}

function neutral(request) {
  const query = request.rawQueryString();
  const headers = lookup(request.headers);
  const host = headers('host');
  return {
    method: request.method,
    host: host.length ? host[0] : '',
    path: request.uri,
    query: query,
    headers: headers,
    cookies: lookup(request.cookies),
  };
}

async function read(store, key) {
  try {
    const found = await store.get(key, { format: 'json' });
    return found;
  } catch (_) {
    return undefined;
  }
}

async function rulesOf(store, host) {
  let key = 'h:' + host.toLowerCase().replace(/\.?(:\d*)?$/, '');
  let head = await read(store, key);
  if (!head) {
    key = 'h:*';
    head = await store.get(key, { format: 'json' });
  }
  let rules = head.r;
  for (let part = 1; part <= (head.n || 0); part++) {
    const next = await store.get(key + ':' + head.v + ':' + part, { format: 'json' });
    rules = rules.concat(next.r);
  }
  return rules;
}

/** The request for the origin: without the room's cookies. */
function forwarded(request, session) {
  Object.keys(request.cookies).forEach((name) => {
    if (/^(__Host-)?waiting-room[-_]/.test(name)) delete request.cookies[name];
  });
  if (session) request.headers[SESSION_HEADER] = { value: session };
  return request;
}

function response(found) {
  const headers = {};
  const cookies = {};
  Object.keys(found.headers).forEach((name) => {
    headers[name] = { value: found.headers[name] };
  });
  found.cookies.forEach((cookie) => {
    const attributes = 'Secure; HttpOnly; SameSite=None; Path=/; Max-Age=' + cookie[2];
    cookies[cookie[0]] = { value: cookie[1], attributes: attributes };
  });
  const made = { statusCode: found.status, headers: headers, cookies: cookies };
  if (found.body) made.body = { encoding: 'text', data: JSON.stringify(found.body) };
  return made;
}

function eventOf(query) {
  const found = /(?:^|&)event=([A-Za-z0-9_.-]{1,64})(?:&|$)/.exec(query || '');
  return found ? found[1] : '';
}

// eslint-disable-next-line no-unused-vars
async function handler(event) {
  const request = event.request;
  let passes = OPEN_WITHOUT_STORE;
  try {
    delete request.headers[SESSION_HEADER];
    const asked = neutral(request);
    const now = Math.floor(Date.now() / 1000);
    const store = cf.kvs();
    if (asked.path === HANDOVER) {
      const sender = await read(store, 'e:' + eventOf(asked.query));
      const keys = sender ? sender.k : { signing: '', keys: {} };
      return response(decision.handOver(asked, keys, now, hmac, true));
    }
    if (decision.isOwnPath(asked.path)) return request;
    const rules = await rulesOf(store, asked.host);
    const name = decision.findEvent(rules, asked);
    if (name === undefined) return forwarded(request, '');
    passes = false;
    const state = await read(store, 'e:' + name);
    passes = !!state && !!state.u;
    const keys = state ? state.k : undefined;
    const found = decision.judge(asked, name, state, keys, now, hmac, true);
    return found.pass ? forwarded(request, found.session) : response(found);
  } catch (_) {
    if (passes) return forwarded(request, '');
    const body = { error: 'the gate cannot decide now; try again', reason: 'unavailable', retry_after: 10 };
    return response({ status: 503, headers: { 'cache-control': 'no-store', 'retry-after': '10' }, cookies: [], body: body });
  }
}
