// SPDX-License-Identifier: Apache-2.0
/** What the answer of GET /metrics means: the figures of an event, and those that follow from them. */

const NEEDED = [
  'serving_counter', 'queue_counter', 'waiting_num', 'active_tokens', 'total_tokens',
  'positions_expired', 'completed_sessions', 'abandoned_sessions', 'holes', 'generation',
];

/**
 * The figures of an event. Throws a TypeError when the answer is something else.
 *
 * `called`: positions whose turn has come; the serving position may be ahead of the queue.
 * `placesOpen`: of these, those that neither took a token, nor expired, nor are empty; never negative.
 * `ahead`: how many who join next go straight through. `serverRate`: admissions a minute as the room
 * itself measures them, or null.
 */
export function readFigures(answer) {
  for (const name of NEEDED) {
    if (!Number.isFinite(answer?.[name]) || answer[name] < 0) throw new TypeError(`the answer has no ${name}`);
  }
  const serving = answer.serving_counter;
  const queue = answer.queue_counter;
  const waiting = answer.waiting_num;
  const tokens = answer.total_tokens;
  const ended = answer.completed_sessions + answer.abandoned_sessions;
  const called = Math.min(serving, queue);
  const placesOpen = Math.max(0, called - tokens - answer.positions_expired - answer.holes);
  return Object.freeze({
    serving,
    queue,
    waiting,
    called,
    placesOpen,
    inLine: Math.max(0, waiting - placesOpen),
    ahead: Math.max(0, serving - queue),
    active: answer.active_tokens,
    tokens,
    expiredTokens: Math.max(0, tokens - answer.active_tokens - ended),
    completed: answer.completed_sessions,
    abandoned: answer.abandoned_sessions,
    positionsExpired: answer.positions_expired,
    holes: answer.holes,
    generation: answer.generation,
    serverRate: known(answer.admission_rate_per_minute),
    message: typeof answer.message === 'string' ? answer.message : '',
    stale: staleFigures(answer.stale),
    sweepAge: known(answer.sweep_age),
    reconciliationAge: known(answer.reconciliation_age),
    admissionAge: known(answer.admission_age),
  });
}

// A figure of the API → the figures of this page that follow from it.
const FOLLOW = {
  waiting_num: ['waiting'],
  positions_expired: ['positionsExpired', 'placesOpen'],
  holes: ['placesOpen'],
};

/** The figures of this page that the API does not vouch for, by name. */
function staleFigures(names) {
  const found = Array.isArray(names) ? names.flatMap((name) => FOLLOW[name] ?? []) : [];
  return Object.freeze([...new Set(found)]);
}

/** A number from 0, or null when it is not known. */
function known(value) {
  return Number.isFinite(value) && value >= 0 ? value : null;
}

const SLACK = 1_000; // milliseconds: times are in whole seconds, of servers whose clocks differ a little

/**
 * Whether figures are newer than those that are shown. Answers are ordered by the line and by the
 * API's own time; one without a time is older than any that has one.
 */
export function isNewer(figures, shown) {
  if (shown === null) return true;
  if (figures.generation !== shown.generation) return figures.generation > shown.generation;
  if (shown.toldAt === null) return true;
  return figures.toldAt !== null && figures.toldAt >= shown.toldAt - SLACK;
}

/** What a move of the serving position by `by` will do: where it goes, whose turn comes or is taken back. */
export function outlook(figures, by) {
  const to = Math.max(0, figures.serving + by);
  const called = Math.min(to, figures.queue) - figures.called;
  return { from: figures.serving, to, called, ahead: Math.max(0, to - figures.queue) };
}

/** Minutes until everybody who waits now has been called; null when nobody moves. */
export function minutesToEmpty(figures, admissionRate) {
  if (figures.inLine === 0) return 0;
  return admissionRate > 0 ? figures.inLine / admissionRate : null;
}
