// SPDX-License-Identifier: Apache-2.0
// Combined faults: networks, visitors, tabs and clocks. The position never becomes worse.
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { waitingRoom } from "../waiting-room.js";
import { Clock, Profile, Server } from "./fakes.js";
import { seeded } from "./simulated-queue.js";

const JOIN = "/assign_queue_num";
const UNEXPECTED = [
  [200, null], [200, { hello: 1 }], [202, null], [403, { message: "Forbidden" }], [404, { message: "Not Found" }],
  [407, null], [410, { error: "gone" }], [451, { error: "blocked" }], [500, null], [511, { error: "sign in" }],
];

/** Run ten minutes with faults and ten without; returns the page's states and the server's joins. */
async function runWithFaults(seed) {
  const random = seeded(seed);
  const any = (list) => list[Math.floor(random() * list.length)];
  const clock = new Clock();
  const server = new Server(clock);
  server.queueCounter = 50;
  server.rate = 5;
  const profile = new Profile(clock, server);
  const locks = random() < 0.7 ? {} : { locks: undefined };
  const states = [];
  const grown = [];
  const tabs = [];
  const open = () => {
    const browser = Object.assign(profile.tab({ random }), locks);
    const room = waitingRoom({ eventId: "Sample", publicApi: "https://room.example/api", browser });
    const tab = { browser, room };
    tab.stop = room.watch((state) => {
      if (state.phase === "waiting" && state.number > tab.best) grown.push(state);
      if (state.phase === "waiting") tab.best = state.number;
      states.push((tab.state = state));
    });
    tabs.push(tab);
  };
  const badness = random();
  server.fault = () =>
    random() > badness ? null
    : any(["down", "hang", any(UNEXPECTED), { after: 90 * random() ** 2 }, [503, { error: "busy" }, { "Retry-After": String(Math.ceil(30 * random())) }]]);
  open();
  const join = ({ room }) => room.join().catch((error) => assert.match(String(error), /no answer/));
  join(tabs[0]);
  const acts = [
    (tab) => tab.room.retry(),
    (tab) => tab.browser.fire("online"),
    (tab) => tab.browser.fire("pageshow", { persisted: true }),
    (tab) => tab.browser.hide(random() < 0.5),
    join,
    () => tabs.length < 4 && open(),
    (tab) => tabs.length > 1 && (tab.stop(), tabs.splice(tabs.indexOf(tab), 1)),
    () => (clock.skew += (random() - 0.5) * 1e9),
    () => (clock.slept += random() * 3_600_000),
  ];
  for (let at = 0; at < 600; ) {
    const pause = 20 * random();
    await clock.pass(pause);
    at += pause;
    if (server.serving < 20 && random() < 0.1) server.serving += 1;
    any(acts)(any(tabs));
  }
  const joins = server.positions.size; // assigned so far
  server.fault = () => null;
  for (const tab of tabs) {
    tab.browser.hide(false);
    join(tab);
  }
  await clock.pass(700);
  const ends = tabs.map(({ state }) => state);
  for (const tab of tabs) tab.stop();
  return { states, grown, ends, joins, more: server.positions.size - joins, stored: JSON.parse(profile.stored.get("waiting-room:Sample")), server };
}

test("under combined faults the position is kept, the number never grows, and joins are few", async () => {
  const errors = mock.method(console, "error", () => {});
  for (let seed = 1; seed <= 25; seed += 1) {
    const { states, grown, ends, joins, more, stored, server } = await runWithFaults(seed);
    const details = `seed ${seed}`;
    assert.ok(ends.length && ends.every(({ phase }) => phase === "waiting"), `${details}: ${JSON.stringify(ends)}`);
    assert.equal(states.filter(({ phase }) => phase === "over").length, 0, details);
    assert.deepEqual(grown, [], details);
    const numbers = states.filter(({ phase, number }) => phase === "waiting" && number).map(({ number }) => number);
    assert.ok(numbers.length, details);
    const best = Math.min(...numbers);
    assert.deepEqual(new Set(ends.map(({ number }) => number)), new Set([best]), details);
    assert.ok(joins <= 8 && more <= 1, `${details}: ${joins} positions, then ${more}`);
    const kept = [stored, ...(stored.others ?? [])];
    assert.equal(stored.number, best, details);
    assert.ok(kept.every(({ request_id, number }) => server.positions.get(request_id).number === number), details);
    assert.equal(errors.mock.callCount(), 0, `${details}: ${errors.mock.calls[0]?.arguments[0]?.stack}`);
  }
});
