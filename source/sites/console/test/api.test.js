// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import test from 'node:test';
import { PrivateApi } from '../api/private-api.js';

function api(response, options = {}) {
  const sent = [];
  const made = new PrivateApi({
    endpoint: 'https://room.example/api',
    eventId: 'Sample & more',
    signedFetch: async (url, init) => {
      sent.push({ url, ...init });
      if (response instanceof Error) throw response;
      return response;
    },
    ...options,
  });
  return { made, sent };
}

const INLET = { strategy: 'Periodic', paused: false, targets: { increment_by: 10 }, last: null };
const VISITOR = { request_id: 'x', queue_number: 3, entry_time: 5, state: 'waiting' };
const METRICS = {
  serving_counter: 0, queue_counter: 0, waiting_num: 0, active_tokens: 0, total_tokens: 0,
  positions_expired: 0, completed_sessions: 0, abandoned_sessions: 0, holes: 0, generation: 1,
};
const json = (body, init) => new Response(JSON.stringify(body), init);

test('each method makes one call that contains the event', async () => {
  const calls = [
    [(room) => room.increment(-3, 'a'), 'POST', '/increment_serving_counter', { increment_by: -3, call_id: 'a' }, { serving_num: 0 }],
    [(room) => room.setMessage(''), 'POST', '/update_message', { message: '' }, { message: '' }],
    [(room) => room.endSession('id', -1, 'b'), 'POST', '/update_session', { request_id: 'id', status: -1, call_id: 'b' }, {}],
    [(room) => room.changeInlet({ paused: true }), 'POST', '/inlet', { paused: true }, INLET],
    [(room) => room.reset(4), 'POST', '/reset_initial_state', { generation: 4 }, { message: 'done' }],
    [(room) => room.lookUp({ reference: 'a&b' }), 'GET', '/request_status', { reference: 'a&b' }, VISITOR],
    [(room) => room.expiredTokens(50, 'm='), 'GET', '/expired_tokens', { limit: '50', next_token: 'm=' }, { request_ids: ['x'], next_token: 'n' }],
    [(room) => room.expiredTokens(50), 'GET', '/expired_tokens', { limit: '50' }, { request_ids: [], next_token: null }],
    [(room) => room.inlet(), 'GET', '/inlet', {}, INLET],
  ];
  for (const [send, method, path, content, response] of calls) {
    const { made, sent } = api(json(response));
    await send(made);
    assert.equal(sent.length, 1);
    const url = new URL(sent[0].url);
    assert.equal(url.pathname, `/api${path}`);
    assert.equal(sent[0].method, method);
    const parameters = method === 'GET' ? Object.fromEntries(url.searchParams) : JSON.parse(sent[0].body);
    assert.deepEqual(parameters, { event_id: 'Sample & more', ...content });
  }
});

test('every call has a time limit, sends no cookie and follows no redirect', async () => {
  const { made, sent } = api(json(INLET));
  await made.inlet();
  assert.equal(sent[0].credentials, 'omit');
  assert.equal(sent[0].redirect, 'error');
  assert.ok(sent[0].signal instanceof AbortSignal);
});

test('a rejection has its status, retry time and the measured clock difference', async () => {
  const { made } = api(json({ error: 'Signature expired or not yet current.' }, {
    status: 403, headers: { Date: 'Tue, 24 Nov 2026 09:00:00 GMT', 'Retry-After': '7' },
  }), { clock: () => Date.UTC(2026, 10, 24, 9, 10, 0) });
  await assert.rejects(made.inlet(), { kind: 'clock', status: 403, ahead: 600, retryAfter: 7 });
});

test('a response without JSON or metrics means a wrong address', async () => {
  await assert.rejects(api(new Response('<html>')).made.metrics(), { kind: 'address' });
  await assert.rejects(api(json({ hello: 1 })).made.metrics(), { kind: 'address' });
  await assert.rejects(api(new Response('<html>')).made.increment(1), { kind: 'address', unconfirmed: true });
});

test('a call blocked by the page’s policy differs from one without a response', async () => {
  const failed = new TypeError('Failed to fetch');
  await assert.rejects(api(failed).made.reset(), { kind: 'unreachable', unconfirmed: true });
  await assert.rejects(api(failed, { blocked: () => true }).made.reset(), { kind: 'blocked', unconfirmed: false });
});

test('a response without the expected members is an error and never shown as a number', async () => {
  const wrong = [{}, { serving_num: null }, { serving_num: '5' }, { serving_num: NaN }, { serving_num: -1 }, { serving_num: 1.5 }, []];
  for (const body of wrong) {
    await assert.rejects(api(json(body)).made.increment(1, 'a'), { kind: 'address', unconfirmed: true }, JSON.stringify(body));
  }
  const { made } = api(json({}));
  await assert.rejects(api(json({ message: 5 })).made.setMessage('x'), { kind: 'address', unconfirmed: true });
  await assert.rejects(api(json({})).made.changeInlet({}), { kind: 'address', unconfirmed: true });
  await assert.rejects(api(json({})).made.reset(1), { kind: 'address', unconfirmed: true });
  await assert.rejects(made.lookUp({}), { kind: 'address', unconfirmed: false });
  for (const inlet of [{ ...INLET, targets: { a: 'x' } }, { ...INLET, last: {} }, { ...INLET, paused: 1 }]) {
    await assert.rejects(api(json(inlet)).made.inlet(), { kind: 'address' });
  }
  await assert.rejects(api(json({ request_ids: [5] })).made.expiredTokens(1), { kind: 'address' });
});

test('metrics have the room’s own time, otherwise that of the response, otherwise none', async () => {
  const date = { headers: { Date: 'Tue, 24 Nov 2026 09:00:00 GMT' } };
  assert.equal((await api(json({ ...METRICS, now: 1_800_000_000 }, date)).made.metrics()).serverTime, 1_800_000_000_000);
  assert.equal((await api(json(METRICS, date)).made.metrics()).serverTime, Date.UTC(2026, 10, 24, 9));
  assert.equal((await api(json(METRICS)).made.metrics()).serverTime, null);
});

test('a rejection by the room differs from one by a gateway or proxy', async () => {
  await assert.rejects(api(json({ error: 'no inlet' }, { status: 404 })).made.inlet(), { status: 404, own: true });
  await assert.rejects(api(json({ message: 'Not Found' }, { status: 404 })).made.inlet(), { status: 404, own: false });
  await assert.rejects(api(new Response('<html>', { status: 511 })).made.increment(1, 'a'), { kind: 'portal', unconfirmed: false });
  await assert.rejects(api(new Response('', { status: 407 })).made.inlet(), { kind: 'proxy' });
});

test('a change that fails on a device that was offline before it was not sent', async (t) => {
  t.mock.getter(globalThis, 'navigator', () => ({ onLine: false }));
  await assert.rejects(api(new TypeError('Failed to fetch')).made.setMessage('Soon'), (error) => {
    assert.deepEqual([error.kind, error.unconfirmed], ['offline', false]);
    assert.match(error.message, /nothing was sent\. Your input stays\./);
    return true;
  });
  await assert.rejects(api(new TypeError('Failed to fetch')).made.inlet(), /^CallError: This device is offline\.$/);
  const late = Object.assign(new Error('timed out'), { name: 'TimeoutError' }); // it may have gone online meanwhile
  await assert.rejects(api(late).made.setMessage('Soon'), (error) => error.unconfirmed);
  assert.equal((await api(json({ message: 'Soon' })).made.setMessage('Soon')).message, 'Soon', 'a room on this device responds');
});
