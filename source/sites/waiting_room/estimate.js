// SPDX-License-Identifier: Apache-2.0
// How long a visitor still waits, from the answers of /status. It has no clock of its own.
const WINDOW = 300; // s; the server's rate is of so long
const SHORTEST = 60; // s; and of no less
const REVISION = 300; // s between two estimates that are longer than the one before
const LONGEST = 720; // minutes; a longer wait is not told in numbers

/** Whether the line stands still at `now`, by the clock of the server that gave `status`. */
export function stands({ rate, movedAt, every }, now) {
  if (rate === 0) return true;
  return Number.isFinite(movedAt) && every > 0 && now > movedAt + due(every);
}

/** Seconds after a move by which the next one is missed: its usual time and 15 to 40 s. */
export const due = (every) => every + Math.min(40, Math.max(15, every / 4));

/**
 * Places a minute, as the lowest and the highest that the figures allow; null when not known.
 * Moves come in steps: k of them tell the pace of k steps, and not of the time since the first.
 */
export function paces({ rate, optimistic, movedAt, firstMovedAt, every, now }) {
  if (!(rate > 0)) return null;
  const timed = [movedAt, firstMovedAt, now].every(Number.isFinite);
  if (!timed) return { low: rate, high: Math.max(rate, optimistic || 0), unsure: 1 };
  if (!(every > 0)) return null; // one move tells no pace
  const since = now - firstMovedAt;
  const counted = (rate * Math.min(WINDOW, Math.max(SHORTEST, since))) / 60;
  const covered = since < WINDOW ? movedAt - firstMovedAt + every : WINDOW;
  const usual = (counted * 60) / covered;
  const steps = covered / every; // few steps: one more or less at the edge of the window counts
  return { low: usual, high: Math.max(usual, Math.min(optimistic || 0, 3 * usual)), unsure: 1 + 0.6 / steps };
}

/** A range in whole minutes in which the turn comes, and the likely wait; null when not known. */
export function range(ahead, status) {
  const found = ahead > 0 ? paces(status) : null;
  if (!found) return null;
  const gap = (status.every || 0) / 60;
  const shortest = (ahead / found.high / found.unsure) * 0.85;
  const longest = (ahead / found.low) * found.unsure * 1.2 + gap;
  const likely = ahead / Math.sqrt(found.low * found.high);
  const step = likely < 10 ? 1 : likely < 60 ? 5 : likely < 180 ? 15 : 60;
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
