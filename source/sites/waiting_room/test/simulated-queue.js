// SPDX-License-Identifier: Apache-2.0
// Simulated queue that moves in steps, and its /status. Times in seconds.

/** Deterministic random numbers from 0 to 1. */
export function seeded(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Moves up to `until`: `perMinute(at)` positions per minute, every `every` seconds, each ± 20 %. */
export function simulateMoves({ perMinute, every, until, random, from = 0 }) {
  const moves = [];
  let serving = 0;
  for (let at = from; at <= until; at += every) {
    const size = Math.round(((perMinute(at) * every) / 60) * (0.8 + 0.4 * random()));
    if (size > 0) moves.push({ at, size, serving: (serving += size) });
  }
  return moves;
}

/** Index of the last move at or before `at`; -1 if there is none. */
function last(moves, at) {
  let [low, high] = [0, moves.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (moves[middle].at <= at) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** The room's /status at `now`. */
export function statusAt(moves, now) {
  const newest = last(moves, now);
  const since = (seconds) => moves[newest].serving - (moves[last(moves, now - seconds)]?.serving ?? 0);
  const status = { serving_counter: moves[newest]?.serving ?? 0, now, moved_at: null, first_moved_at: null, every: null };
  if (newest < 0) return { ...status, admission_rate_per_minute: 0, optimistic_rate_per_minute: 0 };
  const rate = (since(300) * 60) / Math.max(60, Math.min(300, now - moves[0].at));
  const latest = moves.slice(Math.max(0, newest - 4), newest + 1);
  const gaps = latest.slice(1).map((move, index) => move.at - latest[index].at);
  const every = gaps.length ? [...gaps].sort((a, b) => a - b)[(gaps.length - 1) >> 1] : null;
  const span = gaps.reduce((sum, gap) => sum + (gap <= 3 * every ? gap : every), 0);
  const own = ((latest[latest.length - 1].serving - latest[0].serving) * 60) / Math.max(5, span);
  const shortly = (since(60) * 60) / Math.max(60, latest.filter(({ at }) => at > now - 60).length * every);
  return {
    ...status,
    admission_rate_per_minute: rate,
    optimistic_rate_per_minute: Math.max(shortly, since(300) / 5, own),
    moved_at: moves[newest].at,
    first_moved_at: moves[0].at,
    every,
  };
}

/** Time at which a number is served; undefined if it is not. */
export const servedAt = (moves, number) => moves.find((move) => move.serving >= number)?.at;
