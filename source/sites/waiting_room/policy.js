// SPDX-License-Identifier: Apache-2.0
/**
 * When a waiting page asks /status next, and what it shows until then.
 *
 * Pure: no page, no clock, no state. Times in seconds, rates in places a minute. `status` is the
 * latest answer of /status, `ahead` the places still to be served up to the visitor's own, that one
 * included. The rules and their limits: docs/pages.md.
 */
const SHARE = 3; // a page sleeps for this part of its wait
const OBSERVED = 2; // and at most for this part of the time since the line began to move
const SHORTEST = 2;
const NEAR = 600; // a turn is near from here on
const NEAR_SLEEP = 60; // the longest sleep of a page whose turn is near
const FAR_SHARE = 8; // a turn that is farther away: an eighth of the wait
const FAR_LEAST = 300; // or this, if it is more
const FAR_MOST = 1200;
const IDLE = 10; // nothing has moved yet
const AFTER_STEP = 1; // the edge's answer is up to a second old
const ANSWER_AGE = 0.5; // so is the one that is at hand: half of it on average
const STEP_SPREAD = 2; // spreads the visitors of one step
const GROWTH = 1.5; // from one poll for a late step to the next
const STOPPED = 2.5; // usual gaps without a move, after which the numbers stand still

const isNumber = (value) => typeof value === "number" && Number.isFinite(value);
const known = (value, otherwise) => (isNumber(value) ? value : otherwise);
const within = (least, value, most) => Math.max(least, Math.min(value, most));

/** Seconds until the turn as an optimist expects it; Infinity while nothing moves. */
function expected(ahead, status) {
  const rate = known(status.optimistic_rate_per_minute, 0);
  return rate > 0 ? (Math.max(0, ahead) * 60) / rate : Infinity;
}

/** Of the usual gap, the part that has passed: the line's next step is so much nearer. */
const stepUnderWay = (status) =>
  isNumber(status.moved_at)
    ? within(0, status.now - status.moved_at, known(status.every, 0))
    : 0;

/** The longest sleep of a page whose turn is `wait` away. */
function longest(wait) {
  if (wait <= NEAR) return NEAR_SLEEP;
  const far = within(FAR_LEAST, wait / FAR_SHARE, FAR_MOST);
  return Math.min(far, wait - NEAR + NEAR_SLEEP); // not far past the mark
}

/** Until the next step is visible at the edge; once it is late, each pause is longer. */
function toNextStep(status, chance) {
  const sinceMove = Math.max(0, status.now - status.moved_at) + ANSWER_AGE;
  const left = status.every - sinceMove;
  if (left > 0) return left + AFTER_STEP + STEP_SPREAD * chance;
  // pauses of 2, 3, 4.5 … s: each is 2 s and half of those before it
  const late = Math.max(0, -left - AFTER_STEP - STEP_SPREAD);
  return (SHORTEST + late * (GROWTH - 1)) * around(chance);
}

const around = (chance) => 0.9 + 0.2 * chance; // ± 10 %

/** Nothing has moved: up to the opening if there is one, else by the number of polls before. */
function untilOpening(status, chance, asked) {
  const wait = known(status.opens_at, 0) - status.now;
  if (wait > 0) return Math.min(wait + AFTER_STEP + STEP_SPREAD * chance, longest(wait));
  return Math.min(IDLE, SHORTEST * Math.pow(GROWTH, asked)) * around(chance);
}

/** The rule of a server that sends no more: its own interval, less near the front. */
function byServer(ahead, status, chance) {
  const seconds = within(1, known(status.poll_after_seconds, 5), 120);
  const share = Math.min(1, ahead / Math.max(1, known(status.waiting_num, 1)));
  return Math.max(Math.min(SHORTEST, seconds), seconds * share) * (0.8 + 0.4 * chance);
}

/**
 * Seconds until the next poll of /status.
 *
 * `ahead` may be unknown (a visitor without a place): the whole line counts then, and no sleep is
 * longer than a minute. `random` is a number from 0 to 1, or a function that gives one. `asked` is
 * how many polls in a row found that nothing has moved yet.
 */
export function nextPoll({ ahead, status, random = Math.random, asked = Infinity }) {
  const chance = within(0, typeof random === "function" ? random() : random, 1);
  const outside = !isNumber(ahead);
  const places = outside ? known(status.waiting_num, 0) + 1 : ahead;
  if (!isNumber(status.now) || !isNumber(status.optimistic_rate_per_minute))
    return byServer(places, status, chance);
  const wait = expected(places, status);
  const most = outside ? NEAR_SLEEP : longest(wait - stepUnderWay(status));
  const pause = isNumber(status.moved_at)
    ? afterMoves(wait, status, chance)
    : untilOpening(status, chance, asked);
  return Math.max(SHORTEST, Math.min(pause, most));
}

/** The sleep once the line has moved, before the limits. */
function afterMoves(wait, status, chance) {
  const stepKnown = known(status.every, 0) > 0;
  if (stepKnown && wait / SHARE <= status.every) return toNextStep(status, chance);
  const first = known(status.first_moved_at, status.moved_at);
  const observed = Math.max(0, status.now - first);
  if (wait === Infinity) return Math.min(observed / SHARE, NEAR_SLEEP); // it came to rest
  return Math.min((wait / SHARE) * around(chance), observed / OBSERVED);
}

/**
 * The places ahead, own included, to show `secondsSince` seconds after `status` told `ahead`.
 *
 * It follows the rate one usual step behind the line, so that the next poll seldom shows more than
 * was shown; it is never below 1, and stands still while the line does.
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
