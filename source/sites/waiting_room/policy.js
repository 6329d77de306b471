// SPDX-License-Identifier: Apache-2.0
/**
 * Time of the next poll of /status, and the number shown until then.
 *
 * Pure functions: no document, no clock, no state. Times in seconds, rates in positions per minute.
 * `status` is the latest response of /status, `ahead` the number of positions still to be served, up
 * to and including the visitor's own. docs/pages.md describes the rules and their limits.
 */
const SHARE = 3; // a page sleeps for this fraction of its wait
const OBSERVED = 2; // and at most for this fraction of the time since the first move
const SHORTEST = 2;
const NEAR = 600; // s; a shorter wait counts as near
const NEAR_SLEEP = 60; // maximum sleep while near
const FAR_SHARE = 8; // maximum sleep while far: an eighth of the wait
const FAR_LEAST = 300; // but not less than this
const FAR_MOST = 1200;
const IDLE = 10; // maximum sleep before the first move
const CLOSED = 300; // while no visitor can join and none is served
const AFTER_STEP = 1; // a cached response is up to a second old
const ANSWER_AGE = 0.5; // average age of the current response
const STEP_SPREAD = 2; // jitter for the visitors served by one move
const GROWTH = 1.5; // growth of the pause while a move is late
const STOPPED = 2.5; // intervals without a move after which the numbers stop

const isNumber = (value) => typeof value === "number" && Number.isFinite(value);
const known = (value, otherwise) => (isNumber(value) ? value : otherwise);
const clamp = (least, value, most) => Math.max(least, Math.min(value, most));

/** Shortest likely wait in seconds; Infinity while nothing moves. */
function shortestWait(ahead, status) {
  const rate = known(status.optimistic_rate_per_minute, 0);
  return rate > 0 ? (Math.max(0, ahead) * 60) / rate : Infinity;
}

/** Seconds since the last move, at most one usual interval. */
const sinceLastMove = (status) =>
  isNumber(status.moved_at)
    ? clamp(0, status.now - status.moved_at, known(status.every, 0))
    : 0;

/** Maximum sleep for a wait. */
function maxSleep(wait) {
  if (wait <= NEAR) return NEAR_SLEEP;
  const far = clamp(FAR_LEAST, wait / FAR_SHARE, FAR_MOST);
  return Math.min(far, wait - NEAR + NEAR_SLEEP); // so that the page polls soon after it becomes near
}

/** Seconds until the next move is visible in the cache; growing pauses once it is late. */
function toNextStep(status, chance) {
  const sinceMove = Math.max(0, status.now - status.moved_at) + ANSWER_AGE;
  const left = status.every - sinceMove;
  if (left > 0) return left + AFTER_STEP + STEP_SPREAD * chance;
  // pauses of 2, 3, 4.5 … s: each is 2 s plus half of the sum of the earlier ones
  const late = Math.max(0, -left - AFTER_STEP - STEP_SPREAD);
  return (SHORTEST + late * (GROWTH - 1)) * jitter(chance);
}

const jitter = (chance) => 0.9 + 0.2 * chance; // ± 10 %

/** Time at which the next phase of the event begins; 0 if it is not known. */
const opening = ({ phase, pre_queue_at, opens_at }) =>
  known(phase === "scheduled" ? known(pre_queue_at, opens_at) : opens_at, 0);

/** Sleep before the first move: until the opening if known, otherwise by the number of earlier polls. */
function untilOpening(status, chance, asked) {
  const wait = opening(status) - status.now;
  if (wait > 0) return Math.min(wait + AFTER_STEP + STEP_SPREAD * chance, maxSleep(wait));
  return Math.min(IDLE, SHORTEST * Math.pow(GROWTH, asked)) * jitter(chance);
}

/** Sleep while the admission is paused: longer the longer it lasts; with a long wait, as if it moved. */
function whilePaused(wait, status, chance) {
  const since = known(status.moved_at, 0) > 0 ? Math.max(0, status.now - status.moved_at) : Infinity;
  const near = clamp(IDLE, since / SHARE, NEAR_SLEEP);
  return Math.max(near, wait === Infinity ? 0 : Math.min(wait / SHARE, maxSleep(wait))) * jitter(chance);
}

/** Sleep for a server without times of moves: its own interval, shorter near the front. */
function serverInterval(ahead, status, chance) {
  const seconds = clamp(1, known(status.poll_after_seconds, 5), 120);
  const share = Math.min(1, ahead / Math.max(1, known(status.waiting_num, 1)));
  return Math.max(Math.min(SHORTEST, seconds), seconds * share) * (0.8 + 0.4 * chance);
}

/**
 * Seconds until the next poll of /status.
 *
 * `ahead` may be unknown (a visitor without a position): the whole queue counts, and no sleep is longer
 * than a minute. `random` is a number from 0 to 1, or a function that returns one. `asked` is the
 * number of successive polls before the first move.
 */
export function nextPoll({ ahead, status, random = Math.random, asked = Infinity }) {
  const chance = clamp(0, typeof random === "function" ? random() : random, 1);
  const outside = !isNumber(ahead);
  const places = outside ? known(status.waiting_num, 0) + 1 : ahead;
  const { phase } = status;
  if (phase === "closed" || phase === "unknown" || (phase === "draining" && outside))
    return CLOSED * jitter(chance);
  if (!isNumber(status.now) || !isNumber(status.optimistic_rate_per_minute))
    return serverInterval(places, status, chance);
  if (phase === "scheduled" || phase === "pre_queue")
    return Math.max(SHORTEST, untilOpening(status, chance, outside ? Infinity : asked));
  const wait = shortestWait(places, status);
  if (phase === "paused" && !outside) return whilePaused(wait, status, chance);
  const most = outside ? NEAR_SLEEP : maxSleep(wait - sinceLastMove(status));
  const pause = isNumber(status.moved_at)
    ? afterMoves(wait, status, chance)
    : untilOpening(status, chance, asked);
  return Math.max(SHORTEST, Math.min(pause, most));
}

/** Sleep after the first move, before the limits. */
function afterMoves(wait, status, chance) {
  const stepKnown = known(status.every, 0) > 0;
  if (stepKnown && wait / SHARE <= status.every) return toNextStep(status, chance);
  const first = known(status.first_moved_at, status.moved_at);
  const observed = Math.max(0, status.now - first);
  if (wait === Infinity) return Math.min(observed / SHARE, NEAR_SLEEP); // the queue has stopped
  return Math.min((wait / SHARE) * jitter(chance), observed / OBSERVED);
}

/**
 * Positions ahead, including the visitor's own, to show `secondsSince` seconds after `status` gave
 * `ahead`.
 *
 * The number follows the rate one usual move behind the queue, so that the next poll seldom shows a
 * higher number. It is never below 1, and stops while the queue does.
 */
export function aheadAt({ ahead, status, secondsSince }) {
  const rate = known(status.admission_rate_per_minute, 0);
  const every = known(status.every, 0);
  const sinceMove =
    isNumber(status.now) && isNumber(status.moved_at)
      ? Math.max(0, status.now - status.moved_at)
      : every;
  if (!(ahead > 1) || !(rate > 0) || (every && sinceMove > STOPPED * every + AFTER_STEP))
    return ahead;
  const moving = Math.max(0, secondsSince - Math.max(0, every - sinceMove));
  return Math.max(1, Math.ceil(ahead - (rate * moving) / 60));
}
