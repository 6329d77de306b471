// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import test from 'node:test';
import { CallError } from '../api/errors.js';
import { handOver, store, take } from '../sign-in/answer.js';
import { OperatorSession } from '../sign-in/operator-session.js';
import { over } from '../sign-in/provider.js';
import { nameOf, neededGroups, roleOf } from '../sign-in/roles.js';

const SETTINGS = { issuer: 'https://login.example', groups_claim: 'groups', group_prefix: 'waiting-room-' };
const START = 1_800_000_000;
const EXPIRED = '{"message":"The security token included in the request is expired"}';

function storage() {
  const kept = new Map();
  return {
    kept,
    getItem: (name) => kept.get(name) ?? null,
    setItem: (name, value) => kept.set(name, value),
    removeItem: (name) => kept.delete(name),
  };
}

/** A session of an operator who steers, whose keys last an hour, and what it did. */
async function session({ refreshToken = 'r1', renew, credentials, answers = [] } = {}) {
  const made = { now: START, renewals: 0, keys: [], ended: [], forgotten: 0 };
  const claims = { sub: 'ada', iat: START, exp: START + 300, groups: ['waiting-room-steer'] };
  const provider = {
    renew: renew ?? (async () => {
      made.renewals += 1;
      return { idToken: 'id2', refreshToken: 'r2', accessToken: 'a2', claims: { ...claims, iat: made.now, exp: made.now + 300 } };
    }),
    end: async (tokens) => made.ended.push(tokens.refreshToken),
    forget: () => { made.forgotten += 1; },
  };
  const pool = {
    credentials: credentials ?? (async (idToken) => ({ accessKeyId: `ASIA-${idToken}`, expiresAt: made.now + 3600 })),
  };
  made.session = new OperatorSession({
    provider,
    pool,
    settings: SETTINGS,
    clock: () => made.now * 1000,
    newClient: (keys) => ({
      fetch: async () => {
        made.keys.push(keys.accessKeyId);
        return answers.shift() ?? new Response('{}');
      },
    }),
  });
  await made.session.begin({ idToken: 'id1', refreshToken, accessToken: 'a1', claims });
  return made;
}

const call = (made) => made.session.fetch('https://api.example', () => ({}));

test('the highest role of the groups counts, and no other group gives one', () => {
  const role = (groups) => roleOf({ groups }, SETTINGS);
  assert.equal(role(['waiting-room-watch', 'waiting-room-administer']), 'administer');
  assert.equal(role('waiting-room-steer'), 'steer');
  assert.equal(role(['steer', 'waiting-room-steering']), null);
  assert.equal(role(undefined), null);
  assert.equal(roleOf({ 'cognito:groups': ['watch'] }, { groups_claim: 'cognito:groups', group_prefix: '' }), 'watch');
  assert.equal(neededGroups(SETTINGS), 'waiting-room-watch, waiting-room-steer or waiting-room-administer');
  assert.equal(nameOf({ sub: 'ada', email: '' }), 'ada');
});

test('only the answer with the stored state is handed over, and it is read once', () => {
  const kept = storage();
  assert.equal(handOver(kept, 'code=c&state=s'), false, 'nothing is stored');
  store(kept, { state: 's', verifier: 'v' });
  assert.equal(handOver(kept, 'code=c&state=other'), false);
  assert.equal(handOver(kept, 'code=c&state=s'), true);
  assert.deepEqual(take(kept), { state: 's', verifier: 'v', answer: 'code=c&state=s' });
  assert.equal(kept.kept.size, 0);
  store(kept, { state: 's', verifier: 'v' });
  assert.equal(take(kept), null, 'without an answer');
  assert.equal(kept.kept.size, 0, 'it is deleted as well');
});

test('tokens and keys are renewed every four minutes, without a delay for calls', async () => {
  const made = await session();
  await call(made);
  assert.equal(made.renewals, 0);
  made.now += 250;
  await call(made);
  await new Promise(setImmediate);
  await call(made);
  assert.equal(made.renewals, 1);
  assert.deepEqual(made.keys, ['ASIA-id1', 'ASIA-id1', 'ASIA-id2']);
});

test('a call waits for new keys if the present ones end', async () => {
  const made = await session();
  made.now += 3590;
  await Promise.all([call(made), call(made)]);
  assert.equal(made.renewals, 1, 'one renewal for both');
  assert.deepEqual(made.keys, ['ASIA-id2', 'ASIA-id2']);
});

test('a call that AWS refuses with expired keys is sent again once', async () => {
  const made = await session({ answers: [new Response(EXPIRED, { status: 403 }), new Response(EXPIRED, { status: 403 })] });
  assert.equal((await call(made)).status, 403);
  assert.equal(made.renewals, 1);
  const other = await session({ answers: [new Response('{"message":"not authorized"}', { status: 403 })] });
  assert.equal((await call(other)).status, 403);
  assert.equal(other.renewals, 0);
});

test('a provider that does not respond ends nothing before the keys end', async () => {
  const made = await session({ renew: async () => { throw new CallError('unreachable', 'silent'); } });
  made.now += 250;
  await call(made);
  await new Promise(setImmediate);
  await call(made);
  made.now += 3400;
  await assert.rejects(call(made), { kind: 'unreachable' });
  assert.equal(made.session.role, 'steer');
});

test('a refused renewal deletes tokens and keys', async () => {
  const made = await session({ renew: async () => { throw over('Your sign-in has ended.'); } });
  made.now += 250;
  made.session.keep();
  await new Promise(setImmediate);
  await assert.rejects(call(made), { kind: 'sign-in-over', message: 'Your sign-in has ended.' });
  assert.equal(made.session.role, null);
  assert.equal(made.session.name, '');
  assert.deepEqual(made.keys, []);
});

test('without a refresh token the session ends with its keys', async () => {
  const made = await session({ refreshToken: null });
  made.now += 3500;
  await call(made);
  made.now += 200;
  await assert.rejects(call(made), { kind: 'sign-in-over' });
});

test('who has no group is told the groups, and the tokens are revoked', async () => {
  const refused = async () => { throw over('refused'); };
  await assert.rejects(session({ credentials: refused }), { kind: 'sign-in-over' });
  const none = new OperatorSession({
    provider: { forget: (tokens) => { none.forgotten = tokens.refreshToken; } },
    pool: { credentials: refused },
    settings: SETTINGS,
    newClient: () => null,
  });
  await assert.rejects(
    none.begin({ idToken: 'id', refreshToken: 'r1', claims: { sub: 'ada', email: 'ada@shop.example', iat: START } }),
    (error) => error.kind === 'no-role' && error.message.startsWith('ada@shop.example has no role here.'),
  );
  assert.equal(none.forgotten, 'r1');
});

test('a sign-out renews the access token if it ends, and no call follows', async () => {
  const made = await session();
  made.now += 280;
  await made.session.end();
  assert.deepEqual(made.ended, ['r2']);
  await assert.rejects(call(made), { kind: 'sign-in-over' });
  const closed = await session();
  closed.session.forget();
  assert.equal(closed.forgotten, 1);
});
