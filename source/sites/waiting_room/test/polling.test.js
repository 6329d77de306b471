// SPDX-License-Identifier: Apache-2.0
// The page with a simulated queue: its polls, and its numbers between them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { waitingRoom } from "../waiting-room.js";
import { Clock, Profile, Server } from "./fakes.js";
import { simulateMoves, seeded, servedAt, statusAt } from "./simulated-queue.js";

const START = 1_800_000_000;

/** The page of a visitor with a wait of `wait` seconds, who joins `joinsAt` seconds after the first move. */
async function openPage({ perMinute, every, wait, joinsAt = 1200, random, until = 2 * wait + 600, stops = Infinity }) {
  const pace = (at) => (at - START < stops ? perMinute : 0);
  const moves = simulateMoves({ perMinute: pace, every, until: START + joinsAt + until, random, from: START });
  const clock = new Clock();
  clock.now = (START + joinsAt) * 1000;
  const server = new Server(clock);
  const number = statusAt(moves, START + joinsAt).serving_counter + Math.ceil((perMinute * wait) / 60);
  server.queueCounter = number - 1;
  const statusBody = () => {
    const status = statusAt(moves, clock.real / 1000 - random()); // the edge keeps it for a second
    return { event_id: "Sample", waiting_num: server.queueCounter - status.serving_counter, queue_counter: server.queueCounter, ...status };
  };
  server.fault = (path) => (path === "/status" ? [200, statusBody()] : null);
  const browser = new Profile(clock, server).tab({ random });
  const room = waitingRoom({ eventId: "Sample", publicApi: "https://room.example/api", browser });
  const page = { clock, server, moves, number, browser, room, states: [], state: null };
  room.watch((state) => {
    page.state = state;
    page.states.push({ at: clock.real / 1000, ...state });
  });
  room.join();
  await clock.pass(2);
  assert.equal(page.state.number, number);
  return page;
}

test("a visitor needs few polls, and the turn is detected at once", async () => {
  const random = seeded(11);
  const polls = { 10_000: [], 1_000: [] };
  const late = [];
  for (const perMinute of [10_000, 1_000])
    for (const every of [10, 60])
      for (let run = 0; run < 2; run += 1) {
        const wait = perMinute === 10_000 ? 3000 * (0.2 + 0.8 * random()) : 20_000 * (0.2 + 0.8 * random());
        const page = await openPage({ perMinute, every, wait, random });
        const due = servedAt(page.moves, page.number);
        await page.clock.pass(due - page.clock.real / 1000 + 90);
        const seen = page.states.find(({ phase }) => phase === "turn");
        assert.ok(seen, JSON.stringify({ perMinute, every, wait, state: page.state }));
        late.push(seen.at - due);
        polls[perMinute].push(page.server.calls.filter(({ path, at }) => path === "/status" && at <= due * 1000).length);
      }
  const mean = (list) => list.reduce((sum, one) => sum + one, 0) / list.length;
  const details = JSON.stringify({ polls, late });
  assert.ok(mean(polls[10_000]) < 30 && mean(polls[1_000]) < 60, details);
  assert.ok(late.sort((a, b) => a - b)[Math.floor(late.length * 0.9)] <= 3.5, details);
});

test("between polls the numbers fall with the rate, and never rise while the queue moves", async () => {
  const random = seeded(12);
  for (const every of [10, 60]) {
    const page = await openPage({ perMinute: 1000, every, wait: 2400, random });
    const from = page.states.length;
    await page.clock.pass(1500);
    const waiting = page.states.slice(from).filter(({ phase }) => phase === "waiting");
    const changes = waiting.filter(({ ahead }, index) => index && ahead !== waiting[index - 1].ahead);
    const polls = page.server.count("/status");
    assert.ok(changes.length > 10 * polls, `${changes.length} changes, ${polls} polls`);
    for (const [index, { ahead, serving, number }] of waiting.entries()) {
      assert.equal(serving + ahead, number);
      assert.ok(!(ahead > waiting[index - 1]?.ahead), `${waiting[index - 1]?.ahead} → ${ahead}`);
    }
  }
});

test("without a network the numbers stop", async () => {
  const page = await openPage({ perMinute: 1000, every: 10, wait: 2400, random: seeded(13) });
  page.server.fault = () => "down";
  await page.clock.pass(400);
  assert.ok(page.state.trouble);
  const { ahead } = page.state;
  await page.clock.pass(600);
  assert.equal(page.state.ahead, ahead);
});

test("a stop is shown within a minute to visitors with a wait of at most ten", async () => {
  const random = seeded(14);
  for (let run = 0; run < 24; run += 1) {
    const every = [10, 30, 60][run % 3];
    const wait = 300 + 600 * random();
    const stops = Math.ceil((1200 + Math.max(60, wait - 600 * (0.2 + 0.8 * random()))) / every) * every; // the first move that does not come
    const page = await openPage({ perMinute: 900, every, wait, random, stops });
    await page.clock.pass(START + stops - page.clock.real / 1000);
    const before = page.state;
    if (before.phase !== "waiting") continue;
    await page.clock.pass(60);
    assert.equal(page.state.wait.kind, "paused", JSON.stringify({ run, every, wait, stops, before }));
    assert.ok(before.wait.kind !== "paused");
  }
});

test("the estimate that is shown grows at most once in five minutes", async () => {
  const random = seeded(15);
  for (let run = 0; run < 8; run += 1) {
    const every = [10, 60][run % 2];
    const page = await openPage({ perMinute: [100, 3000][(run >> 1) % 2], every, wait: 2700, joinsAt: 40 + 300 * random(), random });
    await page.clock.pass(2400);
    const ranges = page.states.filter(({ phase, wait }) => phase === "waiting" && wait.kind === "range");
    assert.ok(ranges.length > 100);
    const grown = ranges.filter(({ wait }, index) => index && (wait.from > ranges[index - 1].wait.from || wait.to > ranges[index - 1].wait.to));
    for (const [index, { at }] of grown.entries()) assert.ok(!(at < grown[index - 1]?.at + 300), JSON.stringify(grown.map((one) => one.at)));
    assert.ok(page.states.every(({ wait }) => wait?.kind !== "paused"));
  }
});

test("a hidden page near its turn detects it within 75 seconds", async () => {
  const random = seeded(16);
  for (const [every, wait] of [[10, 400], [60, 900], [10, 3000]]) {
    const page = await openPage({ perMinute: 500, every, wait, random });
    page.browser.hide(true);
    const before = page.states.length;
    await page.clock.pass(120);
    assert.ok(page.states.length < before + 15, "a hidden page counts nothing down");
    const due = servedAt(page.moves, page.number);
    await page.clock.pass(due - page.clock.real / 1000 + 75);
    assert.equal(page.state.phase, "turn");
    const gaps = page.server.calls.filter(({ path }) => path === "/status").map(({ at }) => at / 1000).slice(2);
    assert.ok(gaps.every((at, index) => !index || at - gaps[index - 1] > 45), String(gaps));
  }
});
