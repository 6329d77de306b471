// SPDX-License-Identifier: Apache-2.0
/**
 * Sign-in. Only one closure holds the keys: not the page, no browser storage, and no name that other
 * code can reach. Signing out or reloading deletes them.
 */

import { AwsClient } from 'aws4fetch';
import { PrivateApi } from '../api/private-api.js';

const SERVICE = 'execute-api';

const blockedOrigins = new Set();
document.addEventListener('securitypolicyviolation', (event) => {
  if (URL.canParse(event.blockedURI)) blockedOrigins.add(new URL(event.blockedURI).origin);
});

/** Create an API client that signs with these keys. `ahead`: seconds to subtract from this device's clock. */
export function signIn({ endpoint, region, eventId, accessKeyId, secretAccessKey, sessionToken, ahead }) {
  const client = new AwsClient({
    accessKeyId,
    secretAccessKey,
    sessionToken: sessionToken || undefined,
    service: SERVICE,
    region,
    retries: 0, // a repeated move would move twice
  });
  return new PrivateApi({
    endpoint,
    eventId,
    signedFetch: (url, init) => client.fetch(url, { ...init, aws: { datetime: amzDate(ahead) } }),
    blocked,
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
