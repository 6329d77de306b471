// SPDX-License-Identifier: Apache-2.0
/**
 * Sign-in. Only one closure, or one session of an operator, holds the keys: not the page, no browser
 * storage, and no name that other code can reach. Signing out or reloading deletes them.
 */

import { AwsClient } from 'aws4fetch';
import { PrivateApi } from '../api/private-api.js';
import { IdentityPool } from './identity-pool.js';
import { OperatorSession } from './operator-session.js';
import { neededGroups } from './roles.js';

const SERVICE = 'execute-api';

const blockedOrigins = new Set();
document.addEventListener('securitypolicyviolation', (event) => {
  if (URL.canParse(event.blockedURI)) blockedOrigins.add(new URL(event.blockedURI).origin);
});

/** Create an API client that signs with these keys. `ahead`: seconds to subtract from this device's clock. */
export function signIn({ endpoint, region, eventId, accessKeyId, secretAccessKey, sessionToken, ahead }) {
  const client = clientOf(region, { accessKeyId, secretAccessKey, sessionToken: sessionToken || undefined });
  return new PrivateApi({
    endpoint,
    eventId,
    signedFetch: (url, init) => client.fetch(url, { ...init, aws: { datetime: amzDate(ahead) } }),
    blocked,
  });
}

/** Return the session of an operator whom `provider` gave `tokens`; throws a CallError. */
export async function beginSession({ provider, settings, region, tokens }) {
  const session = new OperatorSession({
    provider, settings, pool: new IdentityPool(settings), newClient: (keys) => clientOf(region, keys),
  });
  await session.begin(tokens);
  return session;
}

/** Create an API client that signs with the keys of a session. */
export function signInWith(session, settings, { endpoint, eventId, ahead }) {
  return new PrivateApi({
    endpoint,
    eventId,
    signedFetch: (url, init) => session.fetch(url, () => ({ ...init, aws: { datetime: amzDate(ahead) } })),
    blocked,
    rights: () => `Your role ${session.role ?? ''} does not allow this. Ask an administrator for another of the groups ${neededGroups(settings)}.`,
  });
}

function clientOf(region, { accessKeyId, secretAccessKey, sessionToken }) {
  return new AwsClient({
    accessKeyId,
    secretAccessKey,
    sessionToken,
    service: SERVICE,
    region,
    retries: 0, // a repeated move would move twice
  });
}

/** Return whether the browser blocked a call; it reports this shortly after the call fails. */
async function blocked(url) {
  await new Promise((resolve) => setTimeout(resolve, 50));
  return blockedOrigins.has(new URL(url).origin);
}

function amzDate(ahead) {
  return new Date(Date.now() - ahead * 1000).toISOString().replace(/[:-]|\.\d{3}/g, '');
}
