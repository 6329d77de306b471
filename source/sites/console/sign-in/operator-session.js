// SPDX-License-Identifier: Apache-2.0
/**
 * The session of an operator who signed in at a provider. Tokens and keys are in private fields of this
 * object only. The session renews both every few minutes, so it learns soon that the sign-in has ended
 * elsewhere, or that the operator has another role.
 */

import { CallError } from '../api/errors.js';
import { nameOf, neededGroups, roleOf } from './roles.js';
import { over } from './provider.js';

const RENEWAL = 240; // seconds after which the session is renewed
const RETRY = 30; // seconds until another attempt, if the provider does not respond
const MARGIN = 60; // seconds before the end of the keys at which a call waits for new ones
const EXPIRED = /token included in the request is expired/i;

export class OperatorSession {
  #provider;
  #pool;
  #settings;
  #newClient;
  #clock;
  #tokens = null;
  #client = null;
  #renewal = null;
  #renewAt = 0;
  #endsAt = 0;
  #ended = null;

  /**
   * `newClient(keys)` returns a client that signs with keys. `ahead`: seconds to subtract from this
   * device's clock.
   */
  constructor({ provider, pool, settings, newClient, clock = Date.now }) {
    this.#provider = provider;
    this.#pool = pool;
    this.#settings = settings;
    this.#newClient = newClient;
    this.#clock = clock;
  }

  /** Take the tokens of a sign-in; throws a CallError. */
  async begin(tokens) {
    try {
      await this.#take(tokens);
    } catch (error) {
      this.#provider.forget(tokens);
      throw error;
    }
  }

  /** `watch`, `steer`, `administer`; null if the groups do not name one. */
  get role() {
    return this.#tokens ? roleOf(this.#tokens.claims, this.#settings) : null;
  }

  get name() {
    return this.#tokens ? nameOf(this.#tokens.claims) : '';
  }

  /** Issuer and subject: they identify the operator. */
  get operator() {
    return this.#tokens && { issuer: this.#settings.issuer, subject: this.#tokens.claims.sub };
  }

  /** Sign and send a call, with new keys if the present ones end. */
  async fetch(url, init) {
    await this.#keep();
    const response = await this.#client.fetch(url, init());
    if (response.status !== 403 || !this.#tokens?.refreshToken) return response;
    if (!EXPIRED.test(await response.clone().text())) return response;
    await this.#renew(); // AWS refused the call, so it had no effect
    if (this.#ended) throw this.#ended;
    return this.#client.fetch(url, init());
  }

  /** Renew the session if it is time; the page calls it again and again. */
  keep() {
    if (!this.#ended && this.#clock() / 1000 > this.#renewAt) this.#keep().catch(() => {});
  }

  /** End the operator's sign-ins at the provider. The page deletes tokens and keys first. */
  async end() {
    let tokens = this.#tokens;
    this.#delete();
    if (tokens === null) return;
    const left = tokens.claims.exp - this.#clock() / 1000;
    if (tokens.refreshToken && left < MARGIN) { // Cognito accepts a valid access token only
      tokens = await this.#provider.renew(tokens).catch(() => tokens);
    }
    await this.#provider.end(tokens);
  }

  /** Delete tokens and keys; the provider revokes the refresh token. */
  forget() {
    const tokens = this.#tokens;
    this.#delete();
    if (tokens !== null) this.#provider.forget(tokens);
  }

  /** Delete tokens and keys, because the sign-in has ended elsewhere. */
  drop() {
    this.#delete();
  }

  async #keep() {
    if (this.#ended) throw this.#ended;
    const now = this.#clock() / 1000;
    const ending = now > this.#endsAt - MARGIN;
    if (!this.#tokens.refreshToken) {
      this.#renewAt = this.#endsAt;
      if (now > this.#endsAt) this.#stop(over('Your sign-in has ended. Sign in again; what you typed stays.'));
      return;
    }
    if (ending) await this.#renew();
    else if (now > this.#renewAt) this.#renew().catch(() => {});
  }

  #renew() {
    if (this.#ended) return Promise.reject(this.#ended);
    this.#renewal ??= this.#renewed().finally(() => { this.#renewal = null; });
    return this.#renewal;
  }

  async #renewed() {
    const before = this.#tokens;
    try {
      const tokens = await this.#provider.renew(before);
      if (this.#tokens === before) await this.#take(tokens);
    } catch (error) {
      if (this.#tokens !== before) return; // signed out in the meantime
      if (error.kind === 'sign-in-over') this.#stop(error);
      this.#renewAt = this.#clock() / 1000 + RETRY;
      throw error;
    }
  }

  async #take(tokens) {
    const keys = await this.#pool.credentials(tokens.idToken).catch((error) => {
      if (error.kind === 'sign-in-over' && roleOf(tokens.claims, this.#settings) === null) throw this.#noRole(tokens);
      throw error;
    });
    if (this.#ended) throw this.#ended;
    const now = this.#clock() / 1000;
    this.#endsAt = now + keys.expiresAt - tokens.claims.iat; // times of servers: this clock may be wrong
    this.#renewAt = now + RENEWAL;
    this.#tokens = tokens;
    this.#client = this.#newClient(keys);
  }

  #noRole({ claims }) {
    return new CallError('no-role',
      `${nameOf(claims)} has no role here. Ask an administrator for one of the groups ${neededGroups(this.#settings)}, then sign in again.`);
  }

  #stop(error) {
    this.#delete();
    this.#ended = error;
    throw error;
  }

  #delete() {
    this.#tokens = null;
    this.#client = null;
    this.#ended = over('You have signed out.');
  }
}
