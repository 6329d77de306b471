// SPDX-License-Identifier: Apache-2.0
/** Status of an event as visitors get it: through CloudFront, without keys. */

import { STATUS, matches } from './responses.js';

/** Read `/status` of the public API; throws an Error for any other response. */
export async function publicStatus(publicApi, eventId) {
  const search = new URLSearchParams({ event_id: eventId });
  const response = await fetch(`${publicApi}/status?${search}`, {
    credentials: 'omit',
    signal: AbortSignal.timeout(10_000),
  });
  if (!response.ok) throw new Error(`status ${response.status}`);
  const status = await response.json();
  if (!matches(status, STATUS)) throw new Error('an unexpected response');
  return status;
}
