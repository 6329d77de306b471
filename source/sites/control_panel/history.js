// SPDX-License-Identifier: Apache-2.0
/** The figures since the sign-in, in memory, and the rates that follow from successive answers. */

export const RATE_SPAN = 60; // seconds that a rate is taken over
export const GAP = 30; // seconds without an answer after which a chart's line is broken
export const FINE = 3_600; // seconds that every answer is kept
export const KEPT = 43_200; // seconds that one answer a minute is kept

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
   * Add the figures of a moment (epoch seconds); answers the point: the figures with `at`,
   * `joinRate` and `admissionRate` (per minute; null when not known yet) and `gap`. Admissions are
   * as the room measures them, where it does.
   *
   * Another generation begins a new line: no rate reaches across a reset.
   */
  add(at, figures) {
    while (this.last && this.last.at >= at) this.#points.pop(); // the clock was put back
    const before = this.last;
    const sameLine = before?.generation === figures.generation;
    const point = {
      ...figures,
      at,
      gap: Boolean(before) && (!sameLine || at - before.at > GAP),
      ...(sameLine ? this.#rates(at, figures) : { joinRate: null, admissionRate: null }),
      ...(Number.isFinite(figures.serverRate) ? { admissionRate: figures.serverRate } : {}),
    };
    this.#points.push(point);
    this.#thin(at);
    return point;
  }

  /** The points since a moment. */
  since(from) {
    return this.#points.filter((point) => point.at >= from);
  }

  /** Forget everything. */
  clear() {
    this.#points = [];
  }

  #rates(at, figures) {
    const points = this.#points;
    let first = points.length - 1;
    while (
      first > 0 &&
      points[first - 1].at >= at - RATE_SPAN &&
      points[first - 1].generation === figures.generation
    ) {
      first -= 1;
    }
    const steps = [...points.slice(first), figures];
    const minutes = (at - points[first].at) / 60;
    return {
      joinRate: climbed(steps, 'queue') / minutes,
      admissionRate: climbed(steps, 'called') / minutes,
    };
  }

  #thin(now) {
    const kept = [];
    for (const point of this.#points) {
      if (point.at < now - KEPT) continue;
      const before = kept.at(-1);
      const old = point.at < now - FINE;
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

/** How far a figure rose from step to step; steps back do not count. */
function climbed(steps, name) {
  let sum = 0;
  for (let i = 1; i < steps.length; i += 1) sum += Math.max(0, steps[i][name] - steps[i - 1][name]);
  return sum;
}

/** Columns for a chart: times and one column for each name, null where the line is broken. */
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

/** At most `rows` points, evenly chosen; the latest is always among them. */
export function sampled(points, rows) {
  if (points.length <= rows) return [...points];
  const step = (points.length - 1) / (rows - 1);
  return Array.from({ length: rows }, (_, i) => points[Math.round(i * step)]);
}
