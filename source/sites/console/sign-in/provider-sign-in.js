// SPDX-License-Identifier: Apache-2.0
/** Sign-in at the provider of the deployment: its window, its answer, and the session that begins. */

import { CallError } from '../api/errors.js';
import { byId, write } from '../page/dom.js';
import { announceSignOut, listen, store, take } from './answer.js';
import { Provider } from './provider.js';
import { beginSession } from './session.js';

const WINDOW = 'popup,width=520,height=760';
const BLOCKED = 'The browser blocked the window of the sign-in. Allow pop-up windows for this page, and press the button again.';

export class ProviderSignIn {
  #entered;
  #failed;
  #settings = null;
  #provider = null;
  #begun = null;

  /**
   * `entered(session, form)`: an operator has signed in. `failed(error)`: the sign-in failed.
   * `signedOut(operator)`: an operator has signed out in another page of this browser.
   */
  constructor({ entered, failed, signedOut }) {
    this.#entered = entered;
    this.#failed = failed;
    listen({ answered: (answer) => this.#answered(answer), signedOut });
  }

  get settings() {
    return this.#settings;
  }

  /** Use the settings of config.json, and go on with a sign-in for which this page left; null: none. */
  use(settings) {
    this.#settings = settings;
    const returned = take(window.sessionStorage);
    byId('provider').hidden = settings === null;
    if (settings === null) return;
    this.#provider = new Provider(settings, new URL('callback.html', window.location.href).href);
    write(byId('provider-note'), `You sign in at ${this.#provider.pageHost}, in a window of its own.`);
    if (returned === null) return;
    this.#begun = returned;
    this.#answered(returned.answer);
  }

  /**
   * Open the window of the provider. If the browser blocks it, this page goes to the provider itself,
   * unless `keep`: something would be lost.
   */
  async start(form, { keep }) {
    const opened = window.open('', '_blank', WINDOW); // at once: later, browsers block it
    if (opened === null && keep) {
      this.#failed(new CallError('sign-in-over', BLOCKED));
      return;
    }
    try {
      const { address, begun } = await this.#provider.begin();
      if (opened === null) {
        store(window.sessionStorage, { ...begun, form });
        window.location.assign(address);
        return;
      }
      this.#begun = { ...begun, form };
      opened.location.replace(address);
      write(byId('provider-note'), 'Continue in the other window. If it is closed, press the button again.');
    } catch (error) {
      opened?.close();
      this.#failed(error);
    }
  }

  /** End the sign-ins of the operator at the provider; the page has deleted all it knew. */
  async end(session, operator) {
    announceSignOut(operator);
    await session.end();
    const address = await this.#provider.leaving(new URL('./', window.location.href).href);
    if (address !== null) window.location.assign(address);
  }

  async #answered(answer) {
    const begun = this.#begun;
    if (begun === null || new URLSearchParams(answer).get('state') !== begun.state) return; // of another page
    this.#begun = null;
    try {
      const tokens = await this.#provider.finish(answer, begun);
      const session = await beginSession({
        provider: this.#provider, settings: this.#settings, region: begun.form.region, tokens,
      });
      this.#entered(session, begun.form);
    } catch (error) {
      this.#failed(error);
    }
  }
}
