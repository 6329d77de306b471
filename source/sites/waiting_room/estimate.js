// SPDX-License-Identifier: Apache-2.0
// How long a visitor still waits, from the answers of /status. It has no clock of its own.
const WINDOW = 300; // s; the server's rate is of so long
const SHORTEST = 60; // s; and of no less
const [FASTER, SLOWER] = [1.12, 1.25]; // no line keeps its pace better
const OLD = 0.1; // minutes; an answer may be so old
const REVISION = 300; // s between two estimates that are longer than the one before
const LONGEST = 720; // minutes; a longer wait is not told in numbers
const STEP_SEEN = 3; // s after which all pages have asked for a step
const NEAR = 58; // s; an answer can be a second old, and a minute is promised

/** Whether the line stands still at `now`, by the clock of the server that gave `status`. */
export function stands({ rate, movedAt, every }, now) {
  if (rate === 0) return movedAt !== null; // null: it has not begun to move
  return Number.isFinite(movedAt) && every > 0 && now > movedAt + due(every);
}

/** Seconds after a move by which the next one is missed: its usual time and 15 to 40 s. */
export const due = (every) => every + Math.min(40, Math.max(15, every / 4));

/**
 * A pause before the next poll, cut short where the turn is within ten minutes, so that a missed
 * move is seen within a minute. `overdue`: seconds since the next move was expected.
 */
export function soonEnough(pause, { ahead, rate, optimistic, every, overdue, random }) {
  if (!(every > 0) || !(ahead / Math.max(rate, optimistic) <= 10)) return pause;
  const toStep = Math.min(60, STEP_SEEN - overdue); // before its step, nothing can be missed
  const most = Math.min(pause, Math.max(NEAR, toStep));
  const left = due(every) - every - overdue; // until it counts as missed
  const late = overdue > 0 && overdue + most > 60;
  return late && left > 0 ? Math.min(most, left + 0.5 + random) : most;
}

/**
 * Places a minute, as the lowest and the highest that the figures allow, and how unsure both are;
 * null when not known. Moves come in steps: the pace is that of the steps in the server's window,
 * not of its length. An optimistic rate that is much higher is that of a line which has become faster,
 * or goes on after a pause.
 */
export function paces({ rate, optimistic, movedAt, firstMovedAt, every, now }) {
  if (!(rate > 0)) return null;
  const timed = [movedAt, firstMovedAt, now].every(Number.isFinite);
  if (!timed) return { low: rate, high: Math.max(rate, optimistic || 0), unsure: 1.1 };
  if (!(every > 0)) return null; // one move tells no pace
  const since = now - firstMovedAt;
  const counted = (rate * Math.min(WINDOW, Math.max(SHORTEST, since))) / 60;
  const window = Math.min(movedAt - firstMovedAt, WINDOW - (now - movedAt));
  const steps = Math.max(1, Math.floor(window / every) + 1);
  const usual = (counted / steps) * (60 / every);
  const faster = (optimistic || 0) / usual;
  const high = faster > 1.3 ? usual * Math.min(3, faster) : usual;
  return { low: usual, high, unsure: 1 + 0.25 / Math.sqrt(steps) };
}

/** Minutes until the move that serves the last of `ahead` places, at so many places a minute. */
function until(ahead, pace, { movedAt, every, now }) {
  if (!(every > 0)) return ahead / pace;
  const moves = Math.ceil(ahead / ((pace * every) / 60));
  return (Math.max(0, movedAt + every - now) + (moves - 1) * every) / 60;
}

/** A range in whole minutes in which the turn comes, and the likely wait; null when not known. */
export function range(ahead, status) {
  const found = ahead > 0 ? paces(status) : null;
  if (!found) return null;
  const { low, high, unsure } = found;
  const shortest = Math.max(0, until(ahead, high * unsure * FASTER, status) - OLD);
  const longest = until(ahead, low / unsure / SLOWER, status) + OLD;
  const likely = until(ahead, Math.sqrt(low * high), status);
  const step = longest > 90 ? 30 : likely < 15 ? 1 : 5; // a page tells more in half hours
  const from = Math.max(1, Math.floor(shortest / step) * step);
  return { from, to: Math.max(from, Math.ceil(longest / step) * step), likely };
}

/**
 * What a page says of the wait. Call the answer at each poll with the places ahead, the figures and
 * the seconds of a steady clock: `{kind: "unknown" | "paused"}`, `{kind: "range", from, to}` in
 * minutes, `{kind: "soon"}` (less than a minute) or `{kind: "long", from}`: more than so long.
 */
export function estimator() {
  let shown = null;
  let longerAt = -Infinity;
  return (ahead, status, at) => {
    if (stands(status, status.now)) return { kind: "paused" };
    const found = range(ahead, status);
    if (!found) return { kind: "unknown" };
    const { likely, from, to } = found;
    if (shown && likely <= shown.to) {
      shown = { from: Math.min(shown.from, from), to: Math.min(shown.to, to) };
    } else if (!shown || at >= longerAt + REVISION) {
      if (shown) longerAt = at;
      shown = { from, to };
    }
    if (shown.from >= LONGEST) return { kind: "long", from: LONGEST };
    return shown.to <= 1 ? { kind: "soon" } : { kind: "range", ...shown };
  };
}
