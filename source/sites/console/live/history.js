// SPDX-License-Identifier: Apache-2.0
/** In-memory history of the metrics since the sign-in, with the rates computed from it. */

export const RATE_SPAN = 60; // seconds over which a rate is computed
export const GAP = 30; // seconds without a response after which a chart's line is interrupted
export const FULL_RESOLUTION = 3_600; // seconds for which every response is kept
export const MAX_AGE = 43_200; // seconds for which one response per minute is kept

export class History {
  #points = [];

  /** All points, oldest first. */
  get points() {
    return this.#points;
  }

  /** The latest point, or undefined. */
  get last() {
    return this.#points.at(-1);
  }

  /**
   * Add metrics at a time (epoch seconds). Returns the point: the metrics with `at`, `joinRate` and
   * `admissionRate` (per minute; null if unknown) and `gap`. The admission rate is the room's own, if
   * the room returns it. No rate is computed across a reset.
   */
  add(at, metrics) {
    while (this.last && this.last.at >= at) this.#points.pop(); // the clock was set back
    const before = this.last;
    const sameGeneration = before?.generation === metrics.generation;
    const point = {
      ...metrics,
      at,
      gap: Boolean(before) && (!sameGeneration || at - before.at > GAP),
      ...(sameGeneration ? this.#rates(at, metrics) : { joinRate: null, admissionRate: null }),
      ...(Number.isFinite(metrics.serverRate) ? { admissionRate: metrics.serverRate } : {}),
    };
    this.#points.push(point);
    this.#thin(at);
    return point;
  }

  /** Return the points since a time. */
  since(from) {
    return this.#points.filter((point) => point.at >= from);
  }

  /** Delete all points. */
  clear() {
    this.#points = [];
  }

  #rates(at, metrics) {
    const points = this.#points;
    let first = points.length - 1;
    while (
      first > 0 &&
      points[first - 1].at >= at - RATE_SPAN &&
      points[first - 1].generation === metrics.generation
    ) {
      first -= 1;
    }
    const steps = [...points.slice(first), metrics];
    const minutes = (at - points[first].at) / 60;
    return {
      joinRate: climbed(steps, 'queue') / minutes,
      admissionRate: climbed(steps, 'served') / minutes,
    };
  }

  #thin(now) {
    const kept = [];
    for (const point of this.#points) {
      if (point.at < now - MAX_AGE) continue;
      const before = kept.at(-1);
      const old = point.at < now - FULL_RESOLUTION;
      if (old && before && Math.floor(before.at / 60) === Math.floor(point.at / 60)) {
        kept.pop();
        kept.push(before.gap ? { ...point, gap: true } : point);
      } else {
        kept.push(point);
      }
    }
    this.#points = kept;
  }
}

/** Sum of the increases between successive points; decreases do not count. */
function climbed(steps, name) {
  let sum = 0;
  for (let i = 1; i < steps.length; i += 1) sum += Math.max(0, steps[i][name] - steps[i - 1][name]);
  return sum;
}

/** Columns for a chart: times and one column per name, null where the line is interrupted. */
export function columns(points, names) {
  const times = [];
  const lines = names.map(() => []);
  for (const point of points) {
    if (point.gap && times.length) {
      times.push(point.at - 0.001);
      for (const line of lines) line.push(null);
    }
    times.push(point.at);
    names.forEach((name, i) => lines[i].push(point[name]));
  }
  return [times, ...lines];
}

/** Select at most `rows` points evenly; the latest is always included. */
export function sampled(points, rows) {
  if (points.length <= rows) return [...points];
  const step = (points.length - 1) / (rows - 1);
  return Array.from({ length: rows }, (_, i) => points[Math.round(i * step)]);
}
