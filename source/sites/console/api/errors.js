// SPDX-License-Identifier: Apache-2.0
/** Error messages for operators: cause and next step. */

import { PHASES } from '../events/events.js';
import { span } from '../page/format.js';

export const SKEW_LIMIT = 300; // maximum clock difference in seconds that AWS accepts

/** A failed call. `kind` is one of the kinds that `explain` returns. */
export class CallError extends Error {
  /**
   * `unconfirmed`: the call may have taken effect. `ahead`: seconds by which this device's clock is
   * ahead of the API's (negative: behind), if that is the cause. `retryAfter`: seconds, if returned.
   * `own`: the error came from the room itself, not from a gateway or proxy. `said`: its own sentence.
   * `current`: the current document, if the version of the call was not. `phase`: the phase that does
   * not allow the call, or empty.
   */
  constructor(kind, text, { status = 0, unconfirmed = false, ahead = null, retryAfter = 0, own = false, said = '', current = null, phase = '' } = {}) {
    super(text);
    this.name = 'CallError';
    this.kind = kind;
    this.status = status;
    this.unconfirmed = unconfirmed;
    this.ahead = ahead;
    this.retryAfter = retryAfter;
    this.own = own;
    this.said = said;
    this.current = current;
    this.phase = phase;
  }
}

/** Return whether the room says that it has no event of this id. */
export function isUnknownEvent(error) {
  return [400, 404].includes(error?.status) && error.own
    && /not an event of this waiting room|no event of this waiting room/i.test(error.said);
}

// Message of API Gateway → kind and text; the first match counts.
const REFUSALS = [
  [/signature expired|not yet current|request has expired/i, 'clock', ''],
  [/security token included in the request is expired/i, 'keys-expired',
    'The session token has expired. Sign in again with new keys.'],
  [/security token included in the request is invalid|unrecognizedclient/i, 'keys',
    'AWS does not know this access key. Check the access key ID. Temporary keys also need their session token.'],
  [/credential should be scoped to a valid region/i, 'region',
    'This API is in another region. Check the region.'],
  [/signature we calculated does not match/i, 'keys',
    'The secret access key does not belong to this access key ID, or this API is in another region.'],
  [/not authorized|explicit deny|accessdenied/i, 'rights',
    'These keys are valid, but not allowed to do this. They need execute-api:Invoke on this API: ask to be added to an operators’ group.'],
  [/missing authentication token/i, 'address',
    'The API does not know this address. Check the address of the private API: it ends with the name of its stage.'],
];

/** Error for an unsuccessful response. `body` is the parsed body, or null; `rights` what to do without permission. */
export function explain({ status, body, serverTime, localTime, retryAfter = 0, changes = false, rights = '' }) {
  const said = sentence(body);
  const own = typeof body?.error === 'string';
  const current = status === 409 && Number.isSafeInteger(body?.current?.version) ? body.current : null;
  const more = { status, retryAfter, own, said, current, unconfirmed: changes && status >= 500 && status !== 511 };
  if (status === 407) return new CallError('proxy', 'A proxy on this network asks for a sign-in first.', more);
  if (status === 511) return new CallError('portal', 'This network asks for a sign-in first. Open any web page to sign in to it.', more);
  if (status === 401 || status === 403) {
    const [, kind, words] = REFUSALS.find(([pattern]) => pattern.test(said)) ?? [
      null, 'forbidden', 'The API refused the call. A resource policy or a firewall may be the reason.',
    ];
    if (kind !== 'clock') return new CallError(kind, (kind === 'rights' && rights) || words, more);
    const ahead = clockAhead(said, serverTime, localTime);
    return new CallError('clock', clockText(ahead), { ...more, ahead });
  }
  if (status === 429) return new CallError('busy', `The API is busy and takes no more calls for ${retryAfter ? span(retryAfter) : 'a moment'}.`, more);
  if (status >= 500) {
    return new CallError('down', `The API failed with status ${status}${said ? `: ${said}` : ''}.`, more);
  }
  if (status === 404 && !said) {
    return new CallError('address', 'There is no private API at this address. Check the address.', more);
  }
  if (status === 409 && body?.reason in PHASES) {
    return new CallError('phase', `The event is ${PHASES[body.reason][0].toLowerCase()}, and this phase does not allow the change.`, { ...more, phase: body.reason });
  }
  if (current) {
    return new CallError('refused', /event exists/.test(said)
      ? 'An event with this ID exists already.'
      : 'Somebody else changed this event since you opened it. Look at its current version, then try again.', more);
  }
  return new CallError('refused', said ? asSentence(said) : `The API returned status ${status}.`, more);
}

/** Error for a call without a response. `wasOnline`: whether the device was online before the call, `online`: after it. */
export function explainNoResponse({ error, online = true, wasOnline = true, blocked = false, changes = false, timeout = 10 }) {
  if (blocked) {
    return new CallError('blocked',
      'This page may call only the addresses that its deployment names, and this is none of them.');
  }
  if (!wasOnline && changes && error?.name !== 'TimeoutError' && error?.name !== 'AbortError') {
    return new CallError('offline', 'This device is offline, so nothing was sent. Your input stays. Try again when the device is online.');
  }
  if (!online) {
    return new CallError('offline', 'This device is offline.', { unconfirmed: changes });
  }
  if (error?.name === 'TimeoutError' || error?.name === 'AbortError') {
    return new CallError('silent', `No response within ${timeout} s.`, { unconfirmed: changes });
  }
  return new CallError('unreachable',
    'The API cannot be reached. It may be down, its address may be wrong, or this network may block it.',
    { unconfirmed: changes });
}

/** Seconds by which this clock is ahead of the API's; null if unknown. Times in ms. */
export function clockAhead(said, serverTime, localTime) {
  if (Number.isFinite(serverTime)) return Math.round((localTime - serverTime) / 1000);
  // "Signature expired: <ours> is now earlier than <limit> (<theirs> - 5 min.)"
  const times = [...said.matchAll(/(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z/g)].map(
    ([, year, month, day, hour, minute, second]) => Date.UTC(year, month - 1, day, hour, minute, second),
  );
  return times.length === 3 ? Math.round((times[0] - times[2]) / 1000) : null;
}

function clockText(ahead) {
  const rule = 'AWS refuses calls whose time is more than 5 minutes off.';
  if (ahead === null) return `This device’s clock is wrong. ${rule} Set the clock.`;
  if (Math.abs(ahead) < 60) return `The API refused the time of the call, although the clocks agree. Try again.`;
  const off = `${span(Math.abs(ahead))} ${ahead > 0 ? 'ahead of' : 'behind'} the API’s`;
  return `This device’s clock is ${off}. ${rule} Set the clock, or use the API’s time.`;
}

function sentence(body) {
  if (body === null || typeof body !== 'object') return '';
  const said = body.error ?? body.message ?? body.Message;
  return typeof said === 'string' ? said.trim() : '';
}

function asSentence(text) {
  const name = /^\S*[_.]/.test(text); // a field name keeps its case
  const whole = name ? text : text[0].toUpperCase() + text.slice(1);
  return /[.!?]$/.test(whole) ? whole : `${whole}.`;
}
