// SPDX-License-Identifier: Apache-2.0
/**
 * Signing in. The keys live in one closure and nowhere else: not in the page, not in any store of
 * the browser, not in a name that anything else can reach. Signing out or reloading ends them.
 */

import { AwsClient } from 'aws4fetch';
import { PrivateApi } from './api.js';

const SERVICE = 'execute-api';

const blockedOrigins = new Set();
document.addEventListener('securitypolicyviolation', (event) => {
  if (URL.canParse(event.blockedURI)) blockedOrigins.add(new URL(event.blockedURI).origin);
});

/** An API that signs with these keys. `ahead`: seconds to take off this device's clock. */
export function signIn({ endpoint, region, eventId, accessKeyId, secretAccessKey, sessionToken, ahead }) {
  const client = new AwsClient({
    accessKeyId,
    secretAccessKey,
    sessionToken: sessionToken || undefined,
    service: SERVICE,
    region,
    retries: 0, // a move that is sent again moves twice
  });
  return new PrivateApi({
    endpoint,
    eventId,
    signedFetch: (url, init) => client.fetch(url, { ...init, aws: { datetime: amzDate(ahead) } }),
    blocked,
  });
}

/** The browser reports what it stopped a moment after the call failed. */
async function blocked(url) {
  await new Promise((resolve) => setTimeout(resolve, 50));
  return blockedOrigins.has(new URL(url).origin);
}

function amzDate(ahead) {
  return new Date(Date.now() - ahead * 1000).toISOString().replace(/[:-]|\.\d{3}/g, '');
}
