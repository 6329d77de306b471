// SPDX-License-Identifier: Apache-2.0
/** The OpenID provider of operators: code flow with PKCE, renewal, and the end of a sign-in. */

import * as oauth from 'oauth4webapi';
import { CallError } from '../api/errors.js';

const TIMEOUT = 10; // seconds
const TRANSIENT = [oauth.RESPONSE_IS_NOT_CONFORM, oauth.RESPONSE_IS_NOT_JSON, oauth.PARSE_ERROR];
const TOLERANCE = 300; // seconds by which this device's clock may be off, as for signed calls

export class Provider {
  #settings;
  #callback;
  #server = null;
  #client;

  /** `settings`: `sign_in` of config.json; `callback`: address of the page callback.html. */
  constructor(settings, callback) {
    this.#settings = settings;
    this.#callback = callback;
    this.#client = { client_id: settings.client_id, [oauth.clockTolerance]: TOLERANCE };
  }

  /** Begin a sign-in: its address at the provider, and what `finish` needs. */
  async begin() {
    const server = await this.#endpoints();
    const begun = {
      state: oauth.generateRandomState(),
      nonce: oauth.generateRandomNonce(),
      verifier: oauth.generateRandomCodeVerifier(),
    };
    const address = new URL(server.authorization_endpoint);
    for (const [name, value] of Object.entries({
      client_id: this.#settings.client_id,
      redirect_uri: this.#callback,
      response_type: 'code',
      scope: this.#settings.scopes,
      state: begun.state,
      nonce: begun.nonce,
      code_challenge: await oauth.calculatePKCECodeChallenge(begun.verifier),
      code_challenge_method: 'S256',
    })) address.searchParams.set(name, value);
    return { address: address.href, begun };
  }

  /** Exchange the code of an answer for tokens; throws a CallError. */
  async finish(answer, { state, nonce, verifier }) {
    return this.#tokens(async (server) => {
      const parameters = oauth.validateAuthResponse(server, this.#client, new URLSearchParams(answer), state);
      const response = await oauth.authorizationCodeGrantRequest(
        server, this.#client, oauth.None(), parameters, this.#callback, verifier, this.#options(),
      );
      return oauth.processAuthorizationCodeResponse(server, this.#client, response, {
        expectedNonce: nonce, requireIdToken: true,
      });
    });
  }

  /** Get new tokens of the same operator; throws a CallError. */
  async renew({ refreshToken, claims }) {
    const renewed = await this.#tokens(async (server) => {
      const response = await oauth.refreshTokenGrantRequest(
        server, this.#client, oauth.None(), refreshToken, this.#options(),
      );
      return oauth.processRefreshTokenResponse(server, this.#client, response);
    });
    if (renewed.claims.sub !== claims.sub) throw over('The provider returned the token of another operator.');
    return { ...renewed, refreshToken: renewed.refreshToken ?? refreshToken };
  }

  /** End the operator's sign-ins as far as the provider allows it; throws if it does not respond. */
  async end({ refreshToken, accessToken }) {
    const server = await this.#endpoints();
    if (this.#settings.users_api) {
      await this.#endAll(accessToken); // all refresh tokens of the operator, also this one
      return;
    }
    if (!server.revocation_endpoint) return;
    for (const token of [refreshToken, accessToken].filter(Boolean)) {
      await oauth.processRevocationResponse(
        await oauth.revocationRequest(server, this.#client, oauth.None(), token, this.#options()),
      );
    }
  }

  /** Revoke the refresh token while the page is closed; nobody waits for the response. */
  forget({ refreshToken }) {
    const address = this.#server?.revocation_endpoint;
    if (!address || !refreshToken) return;
    const body = new URLSearchParams({ token: refreshToken, client_id: this.#settings.client_id });
    fetch(address, { method: 'POST', body, keepalive: true, mode: 'no-cors', credentials: 'omit' }).catch(() => {});
  }

  /** Return the address at which the provider ends its own session and returns to `page`; or null. */
  async leaving(page) {
    const { end_session_endpoint: end } = await this.#endpoints();
    if (!end) return null;
    const address = new URL(end);
    address.searchParams.set('client_id', this.#settings.client_id);
    address.searchParams.set(this.#settings.users_api ? 'logout_uri' : 'post_logout_redirect_uri', page);
    return address.href;
  }

  /** Revoke all tokens of the operator at Cognito. */
  async #endAll(accessToken) {
    const response = await fetch(this.#settings.users_api, {
      method: 'POST',
      headers: {
        'Content-Type': 'application/x-amz-json-1.1',
        'X-Amz-Target': 'AWSCognitoIdentityProviderService.GlobalSignOut',
      },
      body: JSON.stringify({ AccessToken: accessToken }),
      credentials: 'omit',
      signal: AbortSignal.timeout(TIMEOUT * 1000),
    });
    if (!response.ok) throw new CallError('sign-in', `Cognito did not end the sign-ins (status ${response.status}).`);
  }

  async #tokens(request) {
    const server = await this.#endpoints();
    try {
      const found = await request(server);
      const claims = oauth.getValidatedIdTokenClaims(found);
      if (!found.id_token || !claims) throw over('The provider returned no ID token.');
      return {
        idToken: found.id_token, accessToken: found.access_token, refreshToken: found.refresh_token, claims,
      };
    } catch (error) {
      throw explained(error, this.host);
    }
  }

  /** Name the provider: the host of its issuer. */
  get host() {
    return new URL(this.#settings.issuer).host;
  }

  /** Host of the page at which operators sign in, if the settings have it. */
  get pageHost() {
    return new URL(this.#settings.endpoints?.authorization_endpoint ?? this.#settings.issuer).host;
  }

  async #endpoints() {
    const { issuer, endpoints } = this.#settings;
    if (endpoints) this.#server = { issuer, ...endpoints };
    if (this.#server) return this.#server;
    const address = new URL(issuer);
    try {
      this.#server = await oauth.processDiscoveryResponse(
        address, await oauth.discoveryRequest(address, this.#options()),
      );
    } catch (error) {
      throw explained(error, this.host);
    }
    return this.#server;
  }

  #options() {
    const { protocol, hostname } = new URL(this.#settings.issuer);
    const local = protocol === 'http:' && ['localhost', '127.0.0.1', '[::1]'].includes(hostname);
    return { [oauth.allowInsecureRequests]: local, signal: AbortSignal.timeout(TIMEOUT * 1000) };
  }
}

/** Return an error that ends the sign-in: the operator signs in again. */
export function over(text) {
  return new CallError('sign-in-over', text);
}

function explained(error, host) {
  if (error instanceof CallError) return error;
  if (error.code === oauth.AUTHORIZATION_RESPONSE_ERROR) {
    const reason = error.error === 'access_denied' ? 'The sign-in was cancelled or is not allowed.' : `The provider refused the sign-in: ${error.error}.`;
    return over(`${reason} Try again, or ask who administers ${host}.`);
  }
  if (TRANSIENT.includes(error.code) || error.status === 429) { // of a proxy, or of a provider that is down: it ends no sign-in
    const status = error.status ?? error.cause?.status;
    return new CallError('unreachable', `The provider ${host} does not respond as it should${status ? ` (status ${status})` : ''}. Try again.`);
  }
  if (error.code === oauth.RESPONSE_BODY_ERROR) {
    return error.error === 'invalid_grant'
      ? over('Your sign-in has ended. Sign in again; what you typed stays.')
      : over(`The provider refused the sign-in: ${error.error}. Check its settings of this client.`);
  }
  if (error.code === oauth.JWT_TIMESTAMP_CHECK) {
    return over('The ID token has expired, or this device’s clock is wrong. Set the clock, and sign in again.');
  }
  if (typeof error.code === 'string') { // other errors, such as a timeout, have a number
    console.error(error.code, error.cause?.claim ?? '');
    return over(`The answer of the provider is not valid, and was discarded (${error.code}). Sign in again.`);
  }
  return new CallError('unreachable', `The provider ${host} does not respond to this page. It may be down, or it does not allow calls from this page (CORS).`);
}
