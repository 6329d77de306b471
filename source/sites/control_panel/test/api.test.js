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

const json = (body, init) => new Response(JSON.stringify(body), init);

test('each method is one call with the event in it', async () => {
  const calls = [
    [(room) => room.increment(-3), 'POST', '/increment_serving_counter', { increment_by: -3 }],
    [(room) => room.setMessage(''), 'POST', '/update_message', { message: '' }],
    [(room) => room.endSession('id', -1), 'POST', '/update_session', { request_id: 'id', status: -1 }],
    [(room) => room.changeInlet({ paused: true }), 'POST', '/inlet', { paused: true }],
    [(room) => room.reset(4), 'POST', '/reset_initial_state', { generation: 4 }],
    [(room) => room.lookUp('a&b'), 'GET', '/request_status', { request_id: 'a&b' }],
    [(room) => room.expiredTokens(50, 'm='), 'GET', '/expired_tokens', { limit: '50', next_token: 'm=' }],
    [(room) => room.expiredTokens(50), 'GET', '/expired_tokens', { limit: '50' }],
    [(room) => room.inlet(), 'GET', '/inlet', {}],
  ];
  for (const [ask, method, path, content] of calls) {
    const { made, sent } = api(json({}));
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
  const { made, sent } = api(json({}));
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
