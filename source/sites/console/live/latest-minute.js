// SPDX-License-Identifier: Apache-2.0
/** The latest whole minute of the history. Times are in epoch seconds. */

const OLDEST = 300; // seconds after which a minute is not current any more

/** Return the latest point whose minute is over, or null; waits are those of the latest minute with any. */
export function latestMinute(points, now) {
  const over = points.filter(({ at }) => at + 60 <= now && at >= now - OLDEST);
  const last = over.at(-1);
  if (!last) return null;
  const served = over.filter(({ wait_p50: wait }) => wait !== null).at(-1);
  return { ...last, wait_p50: served?.wait_p50 ?? null, wait_p95: served?.wait_p95 ?? null };
}
