// SPDX-License-Identifier: Apache-2.0
/** Points of the history as the charts of the last 24 hours show them. */

export const STEP = 300; // seconds between two points

/**
 * Return points for the charts at `now` (epoch seconds): rates per minute, waits in minutes, and `gap`
 * after a missing point. The latest point has no rates before its time is over.
 */
export function dayPoints(points, now) {
  const rateOf = ({ at }, sum) => (at + STEP > now ? null : sum / (STEP / 60));
  return points.map((point, i) => ({
    ...point,
    joinRate: rateOf(point, point.joined),
    admissionRate: rateOf(point, point.admitted),
    median: point.wait_p50 === null ? null : point.wait_p50 / 60,
    long: point.wait_p95 === null ? null : point.wait_p95 / 60,
    gap: i > 0 && point.at - points[i - 1].at > STEP,
  }));
}
