// SPDX-License-Identifier: Apache-2.0
/** The identity pool: exchanges an ID token for credentials of the operator's role. */

import { CallError } from '../api/errors.js';
import { over } from './provider.js';

const SERVICE = 'AWSCognitoIdentityService';
const TIMEOUT = 10; // seconds

export class IdentityPool {
  #address;
  #pool;
  #login;

  /** `settings`: `sign_in` of config.json. */
  constructor({ identity_api: address, identity_pool: pool, issuer }) {
    this.#address = address;
    this.#pool = pool;
    this.#login = issuer.replace(/^https?:\/\//, '');
  }

  /** Return keys with their end in epoch seconds; throws a CallError. */
  async credentials(idToken) {
    const logins = { Logins: { [this.#login]: idToken } };
    const { IdentityId } = await this.#call('GetId', { IdentityPoolId: this.#pool, ...logins });
    const { Credentials: found } = await this.#call('GetCredentialsForIdentity', { IdentityId, ...logins });
    return {
      accessKeyId: found.AccessKeyId,
      secretAccessKey: found.SecretKey,
      sessionToken: found.SessionToken,
      expiresAt: found.Expiration,
    };
  }

  async #call(action, content) {
    let response;
    let body;
    try {
      response = await fetch(this.#address, {
        method: 'POST',
        headers: { 'Content-Type': 'application/x-amz-json-1.1', 'X-Amz-Target': `${SERVICE}.${action}` },
        body: JSON.stringify(content),
        cache: 'no-store',
        credentials: 'omit',
        signal: AbortSignal.timeout(TIMEOUT * 1000),
      });
      body = await response.json();
    } catch {
      throw new CallError('unreachable', 'The identity pool of AWS does not respond. Try again.');
    }
    if (response.ok) return body;
    if (response.status === 429 || response.status >= 500 || /TooManyRequests/.test(body.__type ?? '')) {
      throw new CallError('busy', 'The identity pool of AWS is busy. Try again.');
    }
    throw over(`The identity pool of AWS refused the sign-in: ${body.message ?? body.Message ?? body.__type ?? response.status}`);
  }
}
