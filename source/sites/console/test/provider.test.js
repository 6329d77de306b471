// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test from 'node:test';
import { IdentityPool } from '../sign-in/identity-pool.js';
import { Provider } from '../sign-in/provider.js';

const LOGIN = 'https://waiting-room-1.auth.eu-central-1.amazoncognito.com';
const COGNITO = {
  issuer: 'https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Users',
  client_id: 'console',
  scopes: 'openid email aws.cognito.signin.user.admin',
  identity_pool: 'eu-central-1:pool',
  identity_api: 'https://cognito-identity.eu-central-1.amazonaws.com',
  users_api: 'https://cognito-idp.eu-central-1.amazonaws.com',
  endpoints: {
    authorization_endpoint: `${LOGIN}/oauth2/authorize`,
    token_endpoint: `${LOGIN}/oauth2/token`,
    revocation_endpoint: `${LOGIN}/oauth2/revoke`,
    end_session_endpoint: `${LOGIN}/logout`,
  },
};
const CALLBACK = 'https://console.example/callback.html';

/** Replace fetch during a test; returns the calls. */
function answering(t, answer) {
  const calls = [];
  t.mock.method(globalThis, 'fetch', async (url, init) => {
    calls.push({ url: String(url), ...init });
    return answer(String(url), init);
  });
  return calls;
}

test('a sign-in begins with PKCE, state and nonce of its own', async (t) => {
  const calls = answering(t, () => assert.fail('a user pool needs no discovery'));
  const provider = new Provider(COGNITO, CALLBACK);
  const { address, begun } = await provider.begin();
  const asked = Object.fromEntries(new URL(address).searchParams);
  assert.ok(address.startsWith(`${LOGIN}/oauth2/authorize?`));
  assert.deepEqual(asked, {
    client_id: 'console',
    redirect_uri: CALLBACK,
    response_type: 'code',
    scope: COGNITO.scopes,
    state: begun.state,
    nonce: begun.nonce,
    code_challenge: createHash('sha256').update(begun.verifier).digest('base64url'),
    code_challenge_method: 'S256',
  });
  assert.ok(!address.includes(begun.verifier));
  const { begun: other } = await provider.begin();
  for (const name of ['state', 'nonce', 'verifier']) assert.notEqual(begun[name], other[name]);
  assert.equal(calls.length, 0);
});

test('a sign-out at Cognito ends all sign-ins of the operator', async (t) => {
  const calls = answering(t, () => new Response('{}'));
  const provider = new Provider(COGNITO, CALLBACK);
  await provider.end({ accessToken: 'access', refreshToken: 'refresh' });
  assert.equal(calls.length, 1);
  assert.equal(calls[0].url, COGNITO.users_api);
  assert.equal(calls[0].headers['X-Amz-Target'], 'AWSCognitoIdentityProviderService.GlobalSignOut');
  assert.equal(calls[0].body, '{"AccessToken":"access"}');
  const leaving = new URL(await provider.leaving('https://console.example/'));
  assert.equal(leaving.origin + leaving.pathname, `${LOGIN}/logout`);
  assert.deepEqual(Object.fromEntries(leaving.searchParams), {
    client_id: 'console', logout_uri: 'https://console.example/',
  });
});

test('a sign-out that Cognito does not accept is an error', async (t) => {
  answering(t, () => new Response('{}', { status: 400 }));
  await assert.rejects(new Provider(COGNITO, CALLBACK).end({ accessToken: 'access' }), { kind: 'sign-in' });
});

test('another provider publishes its endpoints, and revokes both tokens', async (t) => {
  const issuer = 'https://login.example/realm';
  const calls = answering(t, (url) => (url.endsWith('openid-configuration')
    ? Response.json({
      issuer,
      authorization_endpoint: `${issuer}/auth`,
      token_endpoint: `${issuer}/token`,
      revocation_endpoint: `${issuer}/revoke`,
      end_session_endpoint: `${issuer}/end`,
    })
    : new Response('')));
  const { endpoints, ...settings } = { ...COGNITO, issuer, users_api: '' };
  const provider = new Provider(settings, CALLBACK);
  await provider.end({ accessToken: 'access', refreshToken: 'refresh' });
  assert.deepEqual(calls.map(({ url }) => url), [
    `${issuer}/.well-known/openid-configuration`, `${issuer}/revoke`, `${issuer}/revoke`,
  ]);
  assert.deepEqual(calls.slice(1).map(({ body }) => new URLSearchParams(body).get('token')), ['refresh', 'access']);
  assert.match(await provider.leaving('https://console.example/'), /post_logout_redirect_uri=https%3A%2F%2Fconsole/);
});

test('a provider that does not respond is named', async (t) => {
  answering(t, () => { throw new TypeError('fetch failed'); });
  const { endpoints, ...settings } = { ...COGNITO, issuer: 'https://login.example' };
  await assert.rejects(new Provider(settings, CALLBACK).begin(), { kind: 'unreachable', message: /login\.example does not respond/ });
});

test('a renewal ends the sign-in only if the provider refuses it', async (t) => {
  const answers = [
    new Response('<h1>Down</h1>', { status: 503, headers: { 'Content-Type': 'text/html' } }),
    new Response('<h1>Welcome</h1>', { headers: { 'Content-Type': 'text/html' } }),
    Response.json({ error: 'slow_down' }, { status: 429 }),
    Response.json({ error: 'invalid_grant' }, { status: 400 }),
  ];
  answering(t, () => answers.shift());
  const provider = new Provider(COGNITO, CALLBACK);
  const tokens = { refreshToken: 'refresh', claims: { sub: 'ada' } };
  await assert.rejects(provider.renew(tokens), { kind: 'unreachable', message: /status 503/ });
  await assert.rejects(provider.renew(tokens), { kind: 'unreachable' });
  await assert.rejects(provider.renew(tokens), { kind: 'unreachable', message: /status 429/ });
  await assert.rejects(provider.renew(tokens), { kind: 'sign-in-over', message: /Your sign-in has ended\./ });
});

test('the identity pool gets the ID token by the name of the issuer', async (t) => {
  const calls = answering(t, (url, { headers }) => Response.json(headers['X-Amz-Target'].endsWith('GetId')
    ? { IdentityId: 'eu-central-1:ada' }
    : { Credentials: { AccessKeyId: 'ASIA1', SecretKey: 's', SessionToken: 't', Expiration: 1_800_003_600 } }));
  const keys = await new IdentityPool(COGNITO).credentials('id-token');
  assert.deepEqual(keys, { accessKeyId: 'ASIA1', secretAccessKey: 's', sessionToken: 't', expiresAt: 1_800_003_600 });
  const Logins = { 'cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Users': 'id-token' };
  assert.deepEqual(calls.map(({ body }) => JSON.parse(body)), [
    { IdentityPoolId: 'eu-central-1:pool', Logins }, { IdentityId: 'eu-central-1:ada', Logins },
  ]);
});

test('a busy identity pool ends no sign-in, a refusal does', async (t) => {
  const answers = [
    Response.json({ __type: 'TooManyRequestsException' }, { status: 400 }),
    Response.json({ __type: 'NotAuthorizedException', message: 'Invalid login token.' }, { status: 400 }),
  ];
  answering(t, () => answers.shift());
  const pool = new IdentityPool(COGNITO);
  await assert.rejects(pool.credentials('x'), { kind: 'busy' });
  await assert.rejects(pool.credentials('x'), { kind: 'sign-in-over', message: /Invalid login token\./ });
});
