// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { due, estimator, range, capPause } from "../estimate.js";
import { simulateMoves, seeded, servedAt, statusAt } from "./simulated-queue.js";

/** The status as the page stores it. */
const rates = (status) => ({
  rate: status.admission_rate_per_minute,
  optimistic: status.optimistic_rate_per_minute,
  movedAt: status.moved_at ?? undefined,
  firstMovedAt: status.first_moved_at ?? undefined,
  every: status.every ?? undefined,
  now: status.now,
});

const steady = (rate) => ({ rate });

test("the wait is a range with larger steps for longer waits", () => {
  const shown = (ahead, rate) => estimator()(ahead, steady(rate), 0);
  assert.deepEqual(shown(3, 10), { kind: "soon" });
  assert.deepEqual(shown(50, 10), { kind: "range", from: 3, to: 7 });
  assert.deepEqual(shown(300, 10), { kind: "range", from: 20, to: 45 });
  assert.deepEqual(shown(2000, 10), { kind: "range", from: 150, to: 300 });
  assert.deepEqual(shown(50, undefined), { kind: "unknown" });
  assert.deepEqual(shown(50, 0), { kind: "paused" });
});

test("a wait of more than 12 hours has no range", () => {
  for (const [ahead, rate] of [[1e9, 1], [10_000, 10], [50_000, 0.1]]) {
    assert.deepEqual(estimator()(ahead, steady(rate), 0), { kind: "long", from: 720 });
  }
  for (let ahead = 1; ahead < 1e7; ahead *= 1.3) {
    const { kind, to = 0 } = estimator()(Math.round(ahead), steady(7), 0);
    assert.ok(kind === "long" || to <= 1440, `${ahead}: ${to}`);
  }
});

test("one move gives no rate, and no move means that the queue has stopped", () => {
  const one = { rate: 100, optimistic: 100, movedAt: 50, firstMovedAt: 50, now: 52 };
  assert.deepEqual(estimator()(500, one, 0), { kind: "unknown" });
  assert.deepEqual(estimator()(500, { rate: 0, optimistic: 0, now: 52 }, 0), { kind: "paused" });
});

/** A queue that may change its rate or pause, and a visitor who joins at `comes`. */
function drawn(random) {
  const every = [5, 10, 10, 30, 60, 60][Math.floor(random() * 6)];
  const usual = 10 ** (1.3 + 3 * random()); // 20 to 20,000 a minute
  const comes = random() < 0.5 ? 600 * random() : 7200 * random();
  const wait = 60 * 10 ** (1.8 * random()); // 1 to 63 minutes, if the pace stays
  const [change, changes] = [random() < 0.1 ? [2, 0.5][Math.floor(random() * 2)] : 1, comes + (random() - 0.3) * wait];
  const [pause, pauses] = [random() < 0.1 ? 180 * random() : 0, comes + (random() - 0.3) * wait];
  const perMinute = (at) =>
    at >= pauses && at < pauses + pause ? 0 : at >= changes ? usual * change : usual;
  const moves = simulateMoves({ perMinute, every, until: comes + 4 * wait + 600, random });
  const number = statusAt(moves, comes).serving_counter + Math.ceil((usual * wait) / 60);
  return { moves, comes, number, plain: change === 1 && pause === 0 };
}

test("the first range contains the actual wait of nine visitors in ten", () => {
  const random = seeded(20261128);
  const held = { all: 0, plain: 0 };
  const runs = { all: 0, plain: 0 };
  let widest = 0;
  for (let run = 0; run < 3000; run += 1) {
    const { moves, comes, number, plain } = drawn(random);
    const estimate = estimator();
    for (let at = comes; ; at += 5) {
      const status = statusAt(moves, at - 2 * random()); // an edge keeps it for a while
      const ahead = number - status.serving_counter;
      const shown = ahead > 0 ? estimate(ahead, rates(status), at) : null;
      if (!shown) break;
      if (shown.kind === "unknown" || shown.kind === "paused") continue;
      const wait = (servedAt(moves, number) - at) / 60;
      const { from, to } = shown.kind === "soon" ? { from: 0, to: 1 } : shown;
      for (const group of plain ? ["all", "plain"] : ["all"]) {
        runs[group] += 1;
        held[group] += wait >= from && wait <= to ? 1 : 0;
      }
      if (to >= 10) widest += to / from / 3000;
      break;
    }
  }
  const share = (group) => held[group] / runs[group];
  const details = JSON.stringify({ all: share("all"), plain: share("plain"), runs, widest });
  if (process.env.SHOW) console.log(details);
  assert.ok(runs.all > 2900, details);
  assert.ok(share("all") >= 0.9 && share("plain") >= 0.95, details);
});

test("at a steady rate an estimate grows at most once in five minutes", () => {
  const random = seeded(7);
  let grown = 0;
  for (let run = 0; run < 200; run += 1) {
    const every = [5, 10, 30, 60][run % 4];
    const usual = 10 ** (1.3 + 3 * random());
    const moves = simulateMoves({ perMinute: () => usual, every, until: 4000, random });
    const comes = 10 + 600 * random();
    const number = statusAt(moves, comes).serving_counter + Math.ceil(usual * 45);
    const estimate = estimator();
    const times = [];
    let before = null;
    for (let at = comes; at < comes + 2400; at += 3 + 40 * random()) {
      const status = statusAt(moves, at - 5 * random());
      const shown = estimate(number - status.serving_counter, rates(status), at);
      assert.notEqual(shown.kind, "paused", `run ${run} at ${at}`);
      if (shown.kind !== "range") continue;
      if (before && (shown.from > before.from || shown.to > before.to)) times.push(at);
      before = shown;
    }
    grown += times.length;
    for (const [index, at] of times.entries()) assert.ok(!(at < times[index - 1] + 300), String(times));
  }
  if (process.env.SHOW) console.log({ grown });
});

test("with a falling rate, the estimate grows at most every five minutes", () => {
  const random = seeded(8);
  const moves = simulateMoves({ perMinute: (at) => 6000 * 0.9 ** (at / 60), every: 10, until: 2400, random });
  const estimate = estimator();
  const times = [];
  let before = null;
  for (let at = 100; at < 2300; at += 10) {
    const status = statusAt(moves, at);
    const shown = estimate(150_000 - status.serving_counter, rates(status), at);
    if (before && (shown.from > before.from || shown.to > before.to)) times.push(at);
    before = shown;
  }
  assert.ok(times.length >= 3, String(times));
  assert.ok(times.every((at, index) => !index || at >= times[index - 1] + 300), String(times));
});

test("a missed move is shown within a minute, and not before it is missed", () => {
  const random = seeded(3);
  for (const every of [5, 10, 30, 60, 120]) {
    assert.ok(due(every) - every >= 15 && due(every) - every <= 40);
    const moves = simulateMoves({ perMinute: () => 600, every, until: 1200, random });
    const stopped = moves[moves.length - 1].at + every; // the move that does not come
    const shown = (at) => estimator()(9000, rates(statusAt(moves, at)), at).kind;
    assert.equal(shown(stopped + 5), "range");
    assert.equal(shown(stopped + 41), "paused");
  }
});

test("a longer slowdown is shown, though only once", () => {
  const random = seeded(5);
  const moves = simulateMoves({ perMinute: (at) => (at < 900 ? 600 : 150), every: 10, until: 8000, random });
  const number = statusAt(moves, 600).serving_counter + 6000; // 10 minutes at the first pace
  const estimate = estimator();
  let shown;
  for (let at = 600; at < 1500; at += 10) {
    const status = statusAt(moves, at);
    shown = estimate(number - status.serving_counter, rates(status), at);
  }
  const wait = (servedAt(moves, number) - 1490) / 60;
  assert.ok(shown.to >= wait * 0.8, JSON.stringify({ shown, wait }));
});

test("the lower end of a range is never above its upper end", () => {
  for (let ahead = 1; ahead < 1e6; ahead *= 1.7) {
    const { from, to } = range(ahead, steady(13));
    assert.ok(from <= to && from >= 1 && Number.isInteger(from) && Number.isInteger(to));
  }
});

test("a pause is shortened only if a missed move would be detected too late", () => {
  const at = (change) =>
    capPause(60, {
      ahead: 900, rate: 100, optimistic: 100, every: 10, overdue: -4, random: 0.5, ...change,
    });
  assert.equal(at({}), 58);
  assert.equal(at({ overdue: 2 }), 58); // seen 60 s after the move was expected
  assert.equal(at({ overdue: 5 }), 11); // else after 63
  assert.equal(at({ overdue: 16 }), 58); // missed and reported
  assert.equal(at({ every: 60, overdue: -56.5 }), 59.5); // not before the step
  assert.equal(at({ every: 90, overdue: -80 }), 60);
  assert.equal(at({ ahead: 1100 }), 60); // eleven minutes
  assert.equal(at({ ahead: 1100, optimistic: 200 }), 58);
  assert.equal(at({ every: null, overdue: NaN }), 60);
  assert.equal(capPause(7, { ahead: 9, rate: 1, optimistic: 1, every: 10, overdue: 5, random: 0 }), 7);
});
