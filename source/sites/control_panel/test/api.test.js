// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import test from 'node:test';
import { PrivateApi } from '../api.js';

function api(answer, options = {}) {
  const sent = [];
  const made = new PrivateApi({
    endpoint: 'https://room.example/api',
    eventId: 'Sample & more',
    signedFetch: async (url, init) => {
      sent.push({ url, ...init });
      if (answer instanceof Error) throw answer;
      return answer;
    },
    ...options,
  });
  return { made, sent };
}

const INLET = { strategy: 'Periodic', paused: false, targets: { increment_by: 10 }, last: null };
const VISITOR = { request_id: 'x', queue_number: 3, entry_time: 5, state: 'waiting' };
const FIGURES = {
  serving_counter: 0, queue_counter: 0, waiting_num: 0, active_tokens: 0, total_tokens: 0,
  positions_expired: 0, completed_sessions: 0, abandoned_sessions: 0, holes: 0, generation: 1,
};
const json = (body, init) => new Response(JSON.stringify(body), init);

test('each method is one call with the event in it', async () => {
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
  for (const [ask, method, path, content, answer] of calls) {
    const { made, sent } = api(json(answer));
    await ask(made);
    assert.equal(sent.length, 1);
    const url = new URL(sent[0].url);
    assert.equal(url.pathname, `/api${path}`);
    assert.equal(sent[0].method, method);
    const said = method === 'GET' ? Object.fromEntries(url.searchParams) : JSON.parse(sent[0].body);
    assert.deepEqual(said, { event_id: 'Sample & more', ...content });
  }
});

test('every call has a time limit, sends no cookie and follows no redirect', async () => {
  const { made, sent } = api(json(INLET));
  await made.inlet();
  assert.equal(sent[0].credentials, 'omit');
  assert.equal(sent[0].redirect, 'error');
  assert.ok(sent[0].signal instanceof AbortSignal);
});

test('a refusal keeps its status, its wait and the measured clock', async () => {
  const { made } = api(json({ error: 'Signature expired or not yet current.' }, {
    status: 403, headers: { Date: 'Tue, 24 Nov 2026 09:00:00 GMT', 'Retry-After': '7' },
  }), { clock: () => Date.UTC(2026, 10, 24, 9, 10, 0) });
  await assert.rejects(made.inlet(), { kind: 'clock', status: 403, ahead: 600, retryAfter: 7 });
});

test('an answer that is no JSON, or no figures, is another address', async () => {
  await assert.rejects(api(new Response('<html>')).made.figures(), { kind: 'address' });
  await assert.rejects(api(json({ hello: 1 })).made.figures(), { kind: 'address' });
  await assert.rejects(api(new Response('<html>')).made.increment(1), { kind: 'address', unsure: true });
});

test('a call that the page’s policy stopped is told apart from one that got no answer', async () => {
  const failed = new TypeError('Failed to fetch');
  await assert.rejects(api(failed).made.reset(), { kind: 'unreachable', unsure: true });
  await assert.rejects(api(failed, { blocked: () => true }).made.reset(), { kind: 'blocked', unsure: false });
});

test('an answer without what was asked for is nobody’s, and never shown as a number', async () => {
  const wrong = [{}, { serving_num: null }, { serving_num: '5' }, { serving_num: NaN }, { serving_num: -1 }, { serving_num: 1.5 }, []];
  for (const body of wrong) {
    await assert.rejects(api(json(body)).made.increment(1, 'a'), { kind: 'address', unsure: true }, JSON.stringify(body));
  }
  const { made } = api(json({}));
  await assert.rejects(api(json({ message: 5 })).made.setMessage('x'), { kind: 'address', unsure: true });
  await assert.rejects(api(json({})).made.changeInlet({}), { kind: 'address', unsure: true });
  await assert.rejects(api(json({})).made.reset(1), { kind: 'address', unsure: true });
  await assert.rejects(made.lookUp({}), { kind: 'address', unsure: false });
  for (const inlet of [{ ...INLET, targets: { a: 'x' } }, { ...INLET, last: {} }, { ...INLET, paused: 1 }]) {
    await assert.rejects(api(json(inlet)).made.inlet(), { kind: 'address' });
  }
  await assert.rejects(api(json({ request_ids: [5] })).made.expiredTokens(1), { kind: 'address' });
});

test('figures have the room’s own time, else that of the answer, else none', async () => {
  const date = { headers: { Date: 'Tue, 24 Nov 2026 09:00:00 GMT' } };
  assert.equal((await api(json({ ...FIGURES, now: 1_800_000_000 }, date)).made.figures()).toldAt, 1_800_000_000_000);
  assert.equal((await api(json(FIGURES, date)).made.figures()).toldAt, Date.UTC(2026, 10, 24, 9));
  assert.equal((await api(json(FIGURES)).made.figures()).toldAt, null);
});

test('what the room itself refuses is told apart from what stands between', async () => {
  await assert.rejects(api(json({ error: 'no inlet' }, { status: 404 })).made.inlet(), { status: 404, own: true });
  await assert.rejects(api(json({ message: 'Not Found' }, { status: 404 })).made.inlet(), { status: 404, own: false });
  await assert.rejects(api(new Response('<html>', { status: 511 })).made.increment(1, 'a'), { kind: 'portal', unsure: false });
  await assert.rejects(api(new Response('', { status: 407 })).made.inlet(), { kind: 'proxy' });
});
