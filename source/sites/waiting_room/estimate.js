// SPDX-License-Identifier: Apache-2.0
// Estimate of a visitor's wait from the responses of /status. Pure functions without a clock.
const WINDOW = 300; // s; window of the server's rate
const SHORTEST = 60; // s; shortest window
const [FASTER, SLOWER] = [1.12, 1.25]; // assumed variation of the rate
const OLD = 0.1; // minutes; possible age of a response
const REVISION = 300; // s between two increases of the estimate
const MAX_ESTIMATE = 720; // minutes; a longer wait is shown without numbers
const STEP_SEEN = 3; // s after which all pages have polled for a move
const NEAR = 58; // s; a response can be a second old, and the delay must not exceed a minute

/** Return whether the queue has stopped at `now` (server's clock). */
export function hasStopped({ rate, movedAt, every }, now) {
  if (rate === 0) return movedAt !== null; // null: before the first move
  return Number.isFinite(movedAt) && every > 0 && now > movedAt + due(every);
}

/** Seconds after a move at which the next one counts as missed: usual interval plus 15 to 40 s. */
export const due = (every) => every + Math.min(40, Math.max(15, every / 4));

/**
 * Shorten the pause before the next poll if the wait is at most ten minutes, so that a missed move is
 * detected within a minute. `overdue`: seconds since the next move was expected.
 */
export function capPause(pause, { ahead, rate, optimistic, every, overdue, random }) {
  if (!(every > 0) || !(ahead / Math.max(rate, optimistic) <= 10)) return pause;
  const toStep = Math.min(60, STEP_SEEN - overdue); // before the expected move nothing can be missed
  const most = Math.min(pause, Math.max(NEAR, toStep));
  const left = due(every) - every - overdue; // until it counts as missed
  const late = overdue > 0 && overdue + most > 60;
  return late && left > 0 ? Math.min(most, left + 0.5 + random) : most;
}

/**
 * Lowest and highest rate (positions per minute) that the status allows, and their uncertainty; null
 * if unknown. The rate is computed from the moves in the server's window, not from the length of the
 * window. A much higher optimistic rate means that the queue became faster or continues after a pause.
 */
export function rates({ rate, optimistic, movedAt, firstMovedAt, every, now }) {
  if (!(rate > 0)) return null;
  const timed = [movedAt, firstMovedAt, now].every(Number.isFinite);
  if (!timed) return { low: rate, high: Math.max(rate, optimistic || 0), unsure: 1.1 };
  if (!(every > 0)) return null; // one move gives no rate
  const since = now - firstMovedAt;
  const counted = (rate * Math.min(WINDOW, Math.max(SHORTEST, since))) / 60;
  const window = Math.min(movedAt - firstMovedAt, WINDOW - (now - movedAt));
  const steps = Math.max(1, Math.floor(window / every) + 1);
  const usual = (counted / steps) * (60 / every);
  const faster = (optimistic || 0) / usual;
  const high = faster > 1.3 ? usual * Math.min(3, faster) : usual;
  return { low: usual, high, unsure: 1 + 0.25 / Math.sqrt(steps) };
}

/** Minutes until the move that serves the last of `ahead` positions, at `pace` per minute. */
function until(ahead, pace, { movedAt, every, now }) {
  if (!(every > 0)) return ahead / pace;
  const moves = Math.ceil(ahead / ((pace * every) / 60));
  return (Math.max(0, movedAt + every - now) + (moves - 1) * every) / 60;
}

/** Range of the wait in whole minutes, and the likely wait; null if unknown. */
export function range(ahead, status) {
  const found = ahead > 0 ? rates(status) : null;
  if (!found) return null;
  const { low, high, unsure } = found;
  const shortest = Math.max(0, until(ahead, high * unsure * FASTER, status) - OLD);
  const longest = until(ahead, low / unsure / SLOWER, status) + OLD;
  const likely = until(ahead, Math.sqrt(low * high), status);
  const step = longest > 90 ? 30 : likely < 15 ? 1 : 5; // a long wait is shown in half hours
  const from = Math.max(1, Math.floor(shortest / step) * step);
  return { from, to: Math.max(from, Math.ceil(longest / step) * step), likely };
}

/**
 * Create the estimate that a page shows. Call the returned function at each poll with the positions
 * ahead, the status and the seconds of a monotonic clock. It returns `{kind: "unknown" | "paused"}`,
 * `{kind: "range", from, to}` in minutes, `{kind: "soon"}` (less than a minute) or
 * `{kind: "long", from}` (more than `from` minutes).
 */
export function estimator() {
  let shown = null;
  let longerAt = -Infinity;
  return (ahead, status, at) => {
    if (hasStopped(status, status.now)) return { kind: "paused" };
    const found = range(ahead, status);
    if (!found) return { kind: "unknown" };
    const { likely, from, to } = found;
    if (shown && likely <= shown.to) {
      shown = { from: Math.min(shown.from, from), to: Math.min(shown.to, to) };
    } else if (!shown || at >= longerAt + REVISION) {
      if (shown) longerAt = at;
      shown = { from, to };
    }
    if (shown.from >= MAX_ESTIMATE) return { kind: "long", from: MAX_ESTIMATE };
    return shown.to <= 1 ? { kind: "soon" } : { kind: "range", ...shown };
  };
}
