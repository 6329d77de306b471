// SPDX-License-Identifier: Apache-2.0
/** Sign-in form: reading, validation, and deletion of the keys. */

import { isText, matches } from '../api/responses.js';
import { byId, markWrong, write } from '../page/dom.js';

const PREFILLED = [
  ['event-id', 'event_id'], ['region', 'region'], ['private-api', 'private_api'], ['public-api', 'public_api'],
];
const SIGN_IN = Object.fromEntries(
  ['issuer', 'client_id', 'scopes', 'groups_claim', 'group_prefix', 'identity_pool', 'identity_api', 'users_api']
    .map((name) => [name, isText]),
);
const SECRETS = ['access-key', 'secret-key', 'session-token'];

/**
 * Fill in the settings of the deployment (config.json); fields stay editable. Returns the settings of
 * the sign-in at a provider, or null, the address of the waiting page, or "", and the id of the event.
 */
export async function prefill() {
  const response = await fetch('config.json', { cache: 'no-store', credentials: 'omit' });
  if (!response.ok) throw new Error(`config.json: status ${response.status}`);
  const config = await response.json();
  for (const [id, name] of PREFILLED) {
    const value = config[name] ?? '';
    if (typeof value !== 'string') throw new TypeError(`config.json: ${name}`);
    if (byId(id).value === '') byId(id).value = value; // the operator's input stays
  }
  const { sign_in: signIn = null } = config;
  if (signIn !== null && !matches(signIn, SIGN_IN)) throw new TypeError('config.json: sign_in');
  return { signIn, waitingRoom: typeof config.waiting_room === 'string' ? config.waiting_room : '', eventId: config.event_id ?? '' };
}

/** Read the form; `wrong` is a list of [field, message]. With `keys` false, the keys are not needed. */
export function readForm({ keys = true } = {}) {
  const value = (id) => byId(id).value.trim();
  const form = {
    accessKeyId: value('access-key'),
    secretAccessKey: value('secret-key'),
    sessionToken: value('session-token'),
    eventId: value('event-id'),
    region: value('region'),
    endpoint: value('private-api').replace(/\/+$/, ''),
    publicApi: value('public-api').replace(/\/+$/, ''),
  };
  const wrong = validationErrors(form, globalThis.isSecureContext);
  if (keys) return { form, wrong };
  for (const name of ['accessKeyId', 'secretAccessKey', 'sessionToken']) delete form[name];
  return { form, wrong: wrong.filter(([field]) => !SECRETS.includes(field)) };
}

/** Validate the form without a call; returns [field, message] in the order of the form. */
export function validationErrors(form, secure) {
  const found = [];
  if (!secure) found.push(['private-api', 'Open this page over https: browsers cannot sign calls on a plain http page.']);
  if (!form.accessKeyId) found.push(['access-key', 'Enter the access key ID.']);
  else if (!/^\w{16,128}$/.test(form.accessKeyId)) {
    found.push(['access-key', 'This is not an access key ID: those have 16 to 128 letters and digits.']);
  }
  if (!form.secretAccessKey) found.push(['secret-key', 'Enter the secret access key.']);
  if (form.accessKeyId.startsWith('ASIA') && !form.sessionToken) {
    found.push(['session-token', 'Access keys that begin with ASIA are temporary and need their session token.']);
  }
  if (!form.eventId) found.push(['event-id', 'Enter the event.']);
  if (!/^[a-z]+(-[a-z]+)+-\d+$/.test(form.region)) found.push(['region', 'Enter the region, for example eu-central-1.']);
  if (!isAddress(form.endpoint)) found.push(['private-api', 'Enter the address of the private API. It begins with https://.']);
  if (form.publicApi && !isAddress(form.publicApi)) {
    found.push(['public-api', 'Enter the address of the public API, or leave the field empty.']);
  }
  return found;
}

/**
 * Show an error of the form, at the field if one is named. `apiTime` offers to use the API's time,
 * `settings` to read the page's settings again.
 */
export function showFormError(words, fields = [], { apiTime = false, settings = false } = {}) {
  for (const input of byId('sign-in').querySelectorAll('input')) markWrong(input, fields.includes(input.id));
  write(byId('sign-in-words'), words);
  byId('sign-in-error').hidden = words === '';
  byId('use-api-time').hidden = !apiTime;
  byId('read-settings').hidden = !settings;
  if (words) byId(fields[0] ?? 'sign-in-error').focus();
}

/** Clear the key fields. */
export function clearKeys() {
  for (const id of SECRETS) byId(id).value = '';
}

function isAddress(text) {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname } = new URL(text);
  const loopback = ['localhost', '127.0.0.1', '[::1]'].includes(hostname);
  return protocol === 'https:' || (protocol === 'http:' && loopback);
}
