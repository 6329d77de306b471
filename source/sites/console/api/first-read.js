// SPDX-License-Identifier: Apache-2.0
/** First read of an event: its metrics, or what keys for one event can read. */

import { publicStatus } from './public-status.js';

/** Read the document of an event, and its numbers from the public API; null without them. */
export async function readLimited(api, publicApi) {
  const [event, status] = await Promise.all([
    api.event(),
    publicApi ? publicStatus(publicApi, api.eventId).catch(() => null) : null,
  ]);
  const numbers = status && { queue: status.queue_counter, serving: status.serving_counter, waiting: status.waiting_num };
  return { event, numbers };
}

/** Read the metrics of an event; for keys that are allowed its own routes only, document and numbers. */
export async function firstRead(api, publicApi) {
  try {
    return { metrics: await api.metrics() };
  } catch (error) {
    if (error.kind !== 'rights') throw error;
    const limited = await readLimited(api, publicApi).catch(() => null);
    if (limited === null) throw error;
    return { limited };
  }
}
