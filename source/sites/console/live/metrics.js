// SPDX-License-Identifier: Apache-2.0
/** Metrics of an event: those in the response of GET /metrics, and those computed from them. */

const NEEDED = [
  'serving_counter', 'queue_counter', 'waiting_num', 'active_tokens', 'total_tokens',
  'positions_expired', 'completed_sessions', 'abandoned_sessions', 'holes', 'generation',
];

/**
 * Parse the metrics of an event. Throws a TypeError for an invalid response.
 *
 * `served`: served positions; the serving position may be beyond the end of the queue.
 * `openTurns`: served positions without a token that are neither expired nor unused; never negative.
 * `ahead`: number of next visitors who are admitted when they join. `serverRate`: admissions per
 * minute as measured by the room, or null.
 */
export function readMetrics(response) {
  for (const name of NEEDED) {
    if (!Number.isFinite(response?.[name]) || response[name] < 0) throw new TypeError(`the response has no ${name}`);
  }
  const serving = response.serving_counter;
  const queue = response.queue_counter;
  const waiting = response.waiting_num;
  const tokens = response.total_tokens;
  const ended = response.completed_sessions + response.abandoned_sessions;
  const served = Math.min(serving, queue);
  const openTurns = Math.max(0, served - tokens - response.positions_expired - response.holes);
  return Object.freeze({
    serving,
    queue,
    waiting,
    served,
    openTurns,
    inQueue: Math.max(0, waiting - openTurns),
    ahead: Math.max(0, serving - queue),
    active: known(response.active) ?? response.active_tokens, // an older room has no active
    tokens,
    expiredTokens: Math.max(0, tokens - response.active_tokens - ended),
    completed: response.completed_sessions,
    abandoned: response.abandoned_sessions,
    positionsExpired: response.positions_expired,
    holes: response.holes,
    generation: response.generation,
    serverRate: known(response.admission_rate_per_minute),
    message: typeof response.message === 'string' ? response.message : '',
    stale: queue === 0 ? Object.freeze([]) : staleMetrics(response.stale), // without positions, no job has work
    phase: typeof response.phase === 'string' ? response.phase : '',
    sweepAge: known(response.sweep_age),
    reconciliationAge: known(response.reconciliation_age),
    admissionAge: known(response.admission_age),
  });
}

// Metric of the API → metrics of this page that depend on it.
const DEPENDENT = {
  waiting_num: ['waiting'],
  positions_expired: ['positionsExpired', 'openTurns'],
  holes: ['openTurns'],
};

/** Names of the metrics of this page that the API reports as outdated. */
function staleMetrics(names) {
  const found = Array.isArray(names) ? names.flatMap((name) => DEPENDENT[name] ?? []) : [];
  return Object.freeze([...new Set(found)]);
}

/** Return a non-negative number, or null if unknown. */
function known(value) {
  return Number.isFinite(value) && value >= 0 ? value : null;
}

const CLOCK_TOLERANCE = 1_000; // milliseconds: times are whole seconds, and the servers' clocks differ slightly

/**
 * Return whether metrics are newer than those shown. The order is by generation and then by the API's
 * own time; metrics without a time are older than any with one.
 */
export function isNewer(metrics, shown) {
  if (shown === null) return true;
  if (metrics.generation !== shown.generation) return metrics.generation > shown.generation;
  if (shown.serverTime === null) return true;
  return metrics.serverTime !== null && metrics.serverTime >= shown.serverTime - CLOCK_TOLERANCE;
}

/** Compute the effect of a move by `by`: the new position, and the positions served or no longer served. */
export function previewMove(metrics, by) {
  const to = Math.max(0, metrics.serving + by);
  const served = Math.min(to, metrics.queue) - metrics.served;
  return { from: metrics.serving, to, served, ahead: Math.max(0, to - metrics.queue) };
}

/** Minutes until all visitors who wait now are served; null if the queue does not move. */
export function minutesToEmpty(metrics, admissionRate) {
  if (metrics.inQueue === 0) return 0;
  return admissionRate > 0 ? metrics.inQueue / admissionRate : null;
}
