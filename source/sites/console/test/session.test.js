// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import test from 'node:test';

globalThis.document = { addEventListener() {} }; // session.js listens for blocked calls when it loads
const { signIn } = await import('../sign-in/session.js');

const KEYS = {
  endpoint: 'https://room.example/api', region: 'eu-central-1', eventId: 'Sample',
  accessKeyId: 'AKIAPANELTESTKEY0001', secretAccessKey: 's3cret', sessionToken: '', ahead: 0,
};

/** The API client, and the requests that it sends; each gets the same response. */
function session(t, status, body, keys = {}) {
  const sent = [];
  t.mock.method(globalThis, 'fetch', async (request) => {
    sent.push(request);
    return new Response(JSON.stringify(body), { status });
  });
  return { api: signIn({ ...KEYS, ...keys }), sent };
}

test('a move that failed is sent once, and its error says so', async (t) => {
  const { api, sent } = session(t, 503, { error: 'the waiting room is busy; try again shortly' });
  await assert.rejects(api.increment(10, 'call'), {
    kind: 'down', unconfirmed: true, message: /status 503: the waiting room is busy/,
  });
  assert.equal(sent.length, 1);
});

test('a call is signed for the region, with the session token in a header only', async (t) => {
  const { api, sent } = session(t, 200, { serving_num: 10 }, { sessionToken: 'token+of/a=session' });
  await api.increment(10, 'call');
  const [{ headers, url }] = sent;
  assert.match(headers.get('Authorization'), /Credential=AKIAPANELTESTKEY0001\/\d{8}\/eu-central-1\/execute-api\//);
  assert.equal(headers.get('X-Amz-Security-Token'), 'token+of/a=session');
  assert.equal(url, 'https://room.example/api/increment_serving_counter');
});
