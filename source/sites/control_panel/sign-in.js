// SPDX-License-Identifier: Apache-2.0
/** The sign-in form: what it holds, what is wrong with it, and forgetting the keys. */

import { byId, markWrong, write } from './dom.js';

const PREFILLED = [
  ['event-id', 'event_id'], ['region', 'region'], ['private-api', 'private_api'], ['public-api', 'public_api'],
];
const SECRETS = ['access-key', 'secret-key', 'session-token'];

/** Fill in what the deployment wrote beside this page; fields stay editable. */
export async function prefill() {
  const answer = await fetch('config.json', { cache: 'no-store', credentials: 'omit' });
  if (!answer.ok) throw new Error(`config.json: status ${answer.status}`);
  const config = await answer.json();
  for (const [id, name] of PREFILLED) {
    const value = config[name] ?? '';
    if (typeof value !== 'string') throw new TypeError(`config.json: ${name}`);
    if (byId(id).value === '') byId(id).value = value; // what the operator typed stays
  }
}

/** What the form says; `wrong` is a list of [field, sentence]. */
export function readForm() {
  const value = (id) => byId(id).value.trim();
  const said = {
    accessKeyId: value('access-key'),
    secretAccessKey: value('secret-key'),
    sessionToken: value('session-token'),
    eventId: value('event-id'),
    region: value('region'),
    endpoint: value('private-api').replace(/\/+$/, ''),
    publicApi: value('public-api').replace(/\/+$/, ''),
  };
  return { said, wrong: mistakes(said, globalThis.isSecureContext) };
}

/** What no call is needed to see, as [field, sentence] in the order of the form. */
export function mistakes(said, secure) {
  const found = [];
  if (!secure) found.push(['private-api', 'Open this page over https: browsers cannot sign calls on a plain http page.']);
  if (!said.accessKeyId) found.push(['access-key', 'Enter the access key ID.']);
  else if (!/^\w{16,128}$/.test(said.accessKeyId)) {
    found.push(['access-key', 'This is not an access key ID: those have 16 to 128 letters and digits.']);
  }
  if (!said.secretAccessKey) found.push(['secret-key', 'Enter the secret access key.']);
  if (said.accessKeyId.startsWith('ASIA') && !said.sessionToken) {
    found.push(['session-token', 'Access keys that begin with ASIA are temporary and need their session token.']);
  }
  if (!said.eventId) found.push(['event-id', 'Enter the event.']);
  if (!/^[a-z]+(-[a-z]+)+-\d+$/.test(said.region)) found.push(['region', 'Enter the region, for example eu-central-1.']);
  if (!isAddress(said.endpoint)) found.push(['private-api', 'Enter the address of the private API. It begins with https://.']);
  if (said.publicApi && !isAddress(said.publicApi)) {
    found.push(['public-api', 'Enter the address of the public API, or leave the field empty.']);
  }
  return found;
}

/**
 * Show why the form was not enough, at the field if one is named. `apiTime` offers to go on with the
 * API's time, `settings` to read the page's settings again.
 */
export function complain(words, fields = [], { apiTime = false, settings = false } = {}) {
  for (const input of byId('sign-in').querySelectorAll('input')) markWrong(input, fields.includes(input.id));
  write(byId('sign-in-words'), words);
  byId('sign-in-error').hidden = words === '';
  byId('use-api-time').hidden = !apiTime;
  byId('read-settings').hidden = !settings;
  if (words) byId(fields[0] ?? 'sign-in-error').focus();
}

/** Leave no key in the page. */
export function forgetKeys() {
  for (const id of SECRETS) byId(id).value = '';
}

function isAddress(text) {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname } = new URL(text);
  const loopback = ['localhost', '127.0.0.1', '[::1]'].includes(hostname);
  return protocol === 'https:' || (protocol === 'http:' && loopback);
}
