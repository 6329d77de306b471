// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { aheadAt, nextPoll } from "../policy.js";

const START = 1_800_000_000;

/** Deterministic random numbers. */
function seeded(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** A queue that has moved every ten seconds for an hour, a thousand positions per minute. */
const steady = (change = {}) => ({
  serving_counter: 60_000,
  waiting_num: 50_000,
  admission_rate_per_minute: 1_000,
  poll_after_seconds: 30,
  now: START + 3_604,
  optimistic_rate_per_minute: 1_000,
  first_moved_at: START,
  moved_at: START + 3_600,
  every: 10,
  ...change,
});
const CHANCES = [0, 0.25, 0.5, 1];
const sleeps = (minutes, change) =>
  CHANCES.map((random) => nextPoll({ ahead: minutes * 1_000, status: steady(change), random }));
const near = (found, expected) =>
  assert.ok(Math.abs(found - expected) < 1e-6, `${found}, not ${expected}`);

/** A random queue and a random visitor. */
function anything(random) {
  const size = (digits) => Math.floor(10 ** (random() * digits));
  const now = START + size(5);
  const first = random() < 0.2 ? null : now - size(4.9);
  return {
    ahead: size(6),
    random: random(),
    status: steady({
      now,
      optimistic_rate_per_minute: random() < 0.1 ? 0 : size(5),
      admission_rate_per_minute: random() < 0.1 ? 0 : size(5),
      first_moved_at: first,
      moved_at: first && first + Math.floor(random() * (now - first + 5)),
      every: random() < 0.2 ? null : size(3),
    }),
  };
}

test("a page sleeps for a third of its wait, ± 10 %", () => {
  const [least, , usual, most] = sleeps(2);
  near(least, 36);
  near(usual, 40);
  near(most, 44);
});

test("a page far behind sleeps for an eighth of its wait, five minutes at least, twenty at most", () => {
  for (const [minutes, seconds] of [[20, 300], [40, 300], [80, 600], [160, 1200], [999, 1200]])
    for (const found of sleeps(minutes, { first_moved_at: START - 9_999, now: START + 3_600 }))
      near(found, seconds);
});

test("with a wait of at most ten minutes no page sleeps longer than a minute", () => {
  for (const minutes of [3.5, 5, 9.9, 10]) for (const found of sleeps(minutes)) near(found, 60);
});

test("a sleep ends at most a minute after the wait falls below ten minutes", () => {
  for (const found of sleeps(11)) near(found, 116); // the step under way is 4 s old
  for (const found of sleeps(10.5)) near(found, 86);
  for (const found of sleeps(10.5, { every: null })) near(found, 90);
});

test("a page sleeps for at most half of the observed time", () => {
  const seen = { first_moved_at: START + 3_604 - 30, moved_at: START + 3_604 - 30, every: null };
  for (const found of sleeps(60, seen)) near(found, 15);
  near(sleeps(60, { ...seen, first_moved_at: START + 3_604 })[0], 2);
});

test("near the front a page sleeps until shortly after the next move", () => {
  const [soonest, , , latest] = sleeps(0.4);
  near(soonest, 10 - 4.5 + 1); // the answer is half a second old
  near(latest, 10 - 4.5 + 3);
  near(sleeps(0.4, { now: START + 3_600 })[0], 10.5);
  near(sleeps(0.4, { now: START + 3_599 })[0], 10.5); // another clock
});

test("while a move is late the pauses grow by half", () => {
  let late = 2;
  const pauses = [];
  for (let polls = 0; polls < 6; polls += 1) {
    const status = steady({ now: START + 3_600 + 10 + 2.5 + late - 2 });
    pauses.push(nextPoll({ ahead: 9, status, random: 0.5 }));
    late += pauses.at(-1);
  }
  [2, 3, 4.5, 6.75, 10.125, 15.1875].forEach((seconds, index) => near(pauses[index], seconds));
  assert.equal(nextPoll({ ahead: 9, status: steady({ now: START + 9_000 }), random: 1 }), 60);
});

test("before the first move the pauses grow to ten seconds", () => {
  const closed = { optimistic_rate_per_minute: 0, moved_at: null, first_moved_at: null, every: null };
  const at = (asked, random = 0.5) =>
    nextPoll({ ahead: 500, status: steady(closed), random, asked });
  [2, 3, 4.5, 6.75, 10, 10].forEach((seconds, asked) => near(at(asked), seconds));
  near(nextPoll({ ahead: 500, status: steady(closed), random: 0.5 }), 10);
  near(at(1000, 1), 11);
});

test("with an opening time a page sleeps until then, within its limits", () => {
  const closed = { optimistic_rate_per_minute: 0, moved_at: null, first_moved_at: null, every: null };
  const until = (seconds) =>
    nextPoll({
      ahead: 500,
      status: steady({ ...closed, now: START, opens_at: START + seconds }),
      random: 0.5,
    });
  near(until(20), 22);
  near(until(500), 60);
  near(until(1_000), 300);
  near(until(7_200), 900);
  near(until(90_000), 1_200);
  near(until(-1), 10);
  for (const opens_at of [null, undefined, "soon", NaN])
    near(nextPoll({ ahead: 5, status: steady({ ...closed, opens_at }), random: 0.5 }), 10);
});

test("a stopped queue is polled at least once a minute", () => {
  const rest = { optimistic_rate_per_minute: 0, every: null, moved_at: START, first_moved_at: START };
  near(sleeps(5, { ...rest, now: START + 90 })[0], 30);
  near(sleeps(5, { ...rest, now: START + 9_000 })[0], 60);
});

test("a visitor without a position sleeps for a minute at most", () => {
  for (const ahead of [undefined, null, NaN]) {
    const found = nextPoll({ ahead, status: steady(), random: 0.5 });
    near(found, 60);
  }
});

test("a server without times of moves is polled at its own interval, sooner near the front", () => {
  const old = { serving_counter: 0, waiting_num: 1_000, poll_after_seconds: 30 };
  const at = (ahead, random = 0.5) => nextPoll({ ahead, status: old, random });
  near(at(1_000), 30);
  near(at(1_000, 0), 24);
  near(at(1_000, 1), 36);
  near(at(500), 15);
  near(at(1), 2);
  near(nextPoll({ ahead: 9, status: { serving_counter: 3 }, random: 0.5 }), 5);
  near(nextPoll({ ahead: 9, status: { poll_after_seconds: 1e9 }, random: 0.5 }), 120);
});

test("a random function works like a random number", () => {
  const given = { ahead: 2_000, status: steady() };
  assert.equal(nextPoll({ ...given, random: () => 0.25 }), nextPoll({ ...given, random: 0.25 }));
  assert.ok(nextPoll(given) >= 36);
});

test("for every state of the queue the sleep is within its limits", () => {
  const random = seeded(7);
  for (let run = 0; run < 20_000; run += 1) {
    const given = anything(random);
    const { ahead, status } = given;
    const sleep = nextPoll(given);
    const rate = status.optimistic_rate_per_minute;
    const wait = rate > 0 ? (ahead * 60) / rate : Infinity;
    const details = JSON.stringify({ ...given, sleep, wait });
    assert.ok(sleep >= 2 && sleep <= 1_200, details);
    if (wait <= 600) assert.ok(sleep <= 60, details);
    if (wait > 600) assert.ok(sleep <= Math.max(300, wait / 8), details);
    if (wait > 600) assert.ok(wait - sleep >= 540 - 1e-6, details);
    if (wait === Infinity) assert.ok(sleep <= 60, details);
    if (status.moved_at !== null && !(wait / 3 <= (status.every ?? 0))) {
      assert.ok(sleep <= Math.max(2, (status.now - status.first_moved_at) / 2), details);
      if (rate > 0) assert.ok(sleep <= Math.max(2, wait / 3 * 1.1 + 1e-9), details);
    }
    const shown = aheadAt({ ahead, status, secondsSince: sleep });
    assert.ok(Number.isInteger(shown) && shown >= 1 && shown <= ahead, details + shown);
  }
});

test("no response, however invalid, gives an invalid sleep", () => {
  const random = seeded(11);
  const odd = [undefined, null, NaN, Infinity, -1, 0, "7", {}, [], 1e300, true];
  const pick = () => odd[Math.floor(random() * odd.length)];
  for (let run = 0; run < 5_000; run += 1) {
    const status = {};
    for (const name of Object.keys(steady())) if (random() < 0.6) status[name] = pick();
    const found = nextPoll({ ahead: random() < 0.5 ? pick() : 50, status, random: random() });
    assert.ok(found > 0 && found <= 1_200, JSON.stringify({ status, found }));
  }
});

test("between polls the number decreases by the rate, one usual move behind the queue", () => {
  const at = (secondsSince, change) => aheadAt({ ahead: 5_000, status: steady(change), secondsSince });
  assert.equal(at(0), 5_000);
  assert.equal(at(6), 5_000); // the next step comes now
  assert.equal(at(12), 4_900);
  assert.equal(at(66), 4_000);
  assert.equal(at(60, { every: null }), 4_000);
  assert.equal(at(1e6), 1);
});

test("the number stops while the queue does", () => {
  const at = (change) => aheadAt({ ahead: 50, status: steady(change), secondsSince: 60 });
  assert.equal(at({ now: START + 3_640 }), 50);
  assert.equal(at({ admission_rate_per_minute: 0 }), 50);
  assert.equal(at({ admission_rate_per_minute: undefined }), 50);
  assert.ok(at({}) < 50);
  for (const ahead of [1, 0, -5, undefined])
    assert.equal(aheadAt({ ahead, status: steady(), secondsSince: 60 }), ahead);
});

test("at a steady rate no poll raises the number shown", () => {
  const random = seeded(3);
  for (const every of [10, 60]) {
    for (let visitor = 0; visitor < 200; visitor += 1) {
      const number = 1_000 + Math.floor(random() * 50_000);
      const step = (1_000 * every) / 60;
      let at = 400 + random() * 60;
      let shown = Infinity;
      for (;;) {
        const steps = Math.floor(at / every);
        const ahead = number - Math.floor(steps * step);
        if (ahead <= 0) break;
        assert.ok(ahead <= shown, `${every} s: ${ahead} after ${shown}`);
        const status = steady({
          now: START + at, moved_at: START + steps * every, first_moved_at: START, every,
        });
        const sleep = nextPoll({ ahead, status, random: random() });
        shown = aheadAt({ ahead, status, secondsSince: sleep });
        at += sleep;
      }
    }
  }
});

test("before the opening every page sleeps until then, spread over two seconds", () => {
  const before = (phase, change) => steady({ phase, now: START, moved_at: null, ...change });
  for (const ahead of [undefined, 500]) {
    const at = (random, change, phase = "scheduled") =>
      nextPoll({ ahead, status: before(phase, change), random });
    near(at(0, { opens_at: START + 20 }), 21);
    near(at(1, { opens_at: START + 20 }), 23);
    near(at(0.5, { pre_queue_at: START + 20, opens_at: START + 500 }), 22);
    near(at(0.5, { pre_queue_at: START - 20, opens_at: START + 30 }, "pre_queue"), 32);
    near(at(0.5, { opens_at: START + 7_200 }), 900);
    near(at(0.5, { opens_at: START + 90_000 }), 1_200);
    near(at(0.5, { opens_at: START - 1 }), 10);
  }
});

test("an event that was open before and is scheduled anew is polled at its opening", () => {
  const status = steady({ phase: "scheduled", opens_at: START + 3_620, now: START + 3_600 });
  near(nextPoll({ ahead: 500, status, random: 0.5 }), 22);
});

test("a pause is polled less the longer it lasts, but every minute near the front", () => {
  const at = (since, ahead) =>
    nextPoll({ ahead, status: steady({ phase: "paused", now: START + since, moved_at: START }), random: 0.5 });
  near(at(6, 5), 10);
  near(at(90, 5), 30);
  near(at(9_000, 5), 60);
  assert.ok(at(9_000, 100_000) > 300, "a long wait is polled as if the queue moved");
  near(nextPoll({ ahead: 5, status: steady({ phase: "paused", moved_at: null, optimistic_rate_per_minute: 0 }), random: 0.5 }), 60);
});

test("an event without joins is polled every five minutes", () => {
  for (const phase of ["closed", "unknown"])
    for (const ahead of [undefined, 5]) near(nextPoll({ ahead, status: steady({ phase }), random: 0.5 }), 300);
  near(nextPoll({ status: steady({ phase: "draining" }), random: 0.5 }), 300);
  assert.ok(nextPoll({ ahead: 5, status: steady({ phase: "draining" }), random: 0.5 }) < 60);
});
