// SPDX-License-Identifier: Apache-2.0
// The phases of an event, as the module and the texts show them.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { beforeEach, test } from "node:test";
import { announcer, eventText, formats, isNear, noteText, startsAt, titleOf, viewOf, waitLabel, waitText } from "../view.js";
import { waitingRoom } from "../waiting-room.js";
import { Clock, Profile, Server } from "./fakes.js";

let clock, server, profile;
const en = JSON.parse(readFileSync(new URL("../words/en.json", import.meta.url), "utf8"));
const form = formats("en", ["en-GB"]);

beforeEach(() => {
  clock = new Clock();
  server = new Server(clock);
  profile = new Profile(clock, server);
});

function open() {
  const room = waitingRoom({ eventId: "Sample", publicApi: "https://room.example/api", browser: profile.tab() });
  const page = { room, states: [] };
  page.stop = room.watch((state) => page.states.push(state));
  Object.defineProperty(page, "state", { get: () => page.states.at(-1) });
  return page;
}

async function joined() {
  const page = open();
  await clock.pass(1);
  page.room.join();
  await clock.pass(3);
  return page;
}

test("before the opening there is a countdown by the server's clock, and no join", async () => {
  const start = clock.real / 1000;
  server.event = { phase: "scheduled", opens_at: start + 100 };
  clock.skew = -86_400_000; // the device is a day behind
  const page = open();
  await clock.pass(10);
  assert.ok(!page.states.some(({ phase, event }) => phase === "outside" && !event), "no button before the phase is known");
  assert.equal(viewOf(page.state), "event");
  assert.equal(startsAt(page.state), (start + 100) * 1000);
  assert.ok(Math.abs(page.room.serverNow() - (start + 10) * 1000) < 600, String(page.room.serverNow()));
  const before = server.count("/status");
  await clock.pass(85);
  server.event = { phase: "open", opens_at: start + 100 };
  await clock.pass(9);
  assert.ok(server.count("/status") - before <= 2);
  assert.equal(viewOf(page.state), "outside");
});

test("in the pre-queue a visitor waits for the opening", async () => {
  server.event = { phase: "pre_queue", opens_at: clock.real / 1000 + 600 };
  const page = await joined();
  assert.deepEqual([page.state.phase, page.state.wait.kind], ["waiting", "opening"]);
  const said = waitText({ ...page.state, serverNow: page.room.serverNow() }, en, form);
  assert.match(said, /^Admission begins in 9:5\d$/);
});

test("a paused event says so at once, and a closed one keeps the position", async () => {
  server.rate = 10;
  const page = await joined();
  server.event = { phase: "paused" };
  await clock.pass(60);
  assert.deepEqual([page.state.phase, page.state.wait], ["waiting", { kind: "paused" }]);
  server.event = { phase: "closed" };
  await clock.pass(60);
  assert.equal(viewOf(page.state), "event");
  assert.ok(page.state.held);
  const before = server.count("/status");
  await clock.pass(3_000);
  assert.ok(server.count("/status") - before <= 12);
  server.event = { phase: "open" };
  await clock.pass(330);
  assert.equal(viewOf(page.state), "waiting");
});

test("a refused join shows its reason, and joins again when the event opens", async () => {
  for (const [reason, shown] of [["not_open", "not_open"], ["closed", "closed"], ["proof", "join_refused"], ["client_secret", "client_secret"]]) {
    const phase = reason === "closed" ? "closed" : "open";
    server.event = { phase: "open" };
    server.fault = (path) => (path === "/queue_num" ? [410, { error: "refused", reason }] : null);
    profile = new Profile(clock, server);
    const page = open();
    await clock.pass(1);
    page.room.join();
    server.event = { phase };
    await clock.pass(30);
    assert.deepEqual([page.state.phase, page.state.reason], ["over", shown]);
    server.fault = () => null;
    if (phase === "closed") {
      server.event = { phase: "open" };
      await clock.pass(340);
      assert.equal(page.state.event.phase, "open", "the page notices the opening");
    }
    page.room.join();
    await clock.pass(5);
    assert.equal(page.state.phase, "waiting", reason);
    page.stop();
  }
});

test("an event that does not exist is no network fault, and two responses have to say so", async () => {
  let responses = 0;
  server.fault = (path) =>
    path === "/status" && (responses += 1) ? [400, { error: "no such event", reason: "unknown_event" }] : null;
  const page = open();
  await clock.pass(5);
  assert.equal(viewOf(page.state), "event");
  assert.deepEqual(eventText(page.state, en), en.unknown_event);
  assert.equal(responses, 2);
  assert.equal(page.state.trouble, null);
  await clock.pass(250);
  assert.equal(responses, 2);
});

test("while the phase cannot be read, the one before counts", async () => {
  server.event = { phase: "scheduled", opens_at: null };
  const page = open();
  await clock.pass(5);
  server.event = { phase: null };
  await clock.pass(30);
  assert.equal(page.state.event.phase, "scheduled");
});

test("a page of the network instead of the room is a request to sign in to it", async () => {
  const page = await joined();
  for (const answer of [[511, {}], [200, null, { "Content-Type": "text/html" }]]) {
    server.fault = () => answer;
    page.room.retry();
    await clock.pass(1);
    assert.equal(page.state.trouble.kind, "portal");
  }
});

test("each phase has its section, title and note", () => {
  for (const phase of ["scheduled", "draining", "closed"]) {
    const state = { phase: "outside", event: { phase } };
    assert.equal(viewOf(state), "event");
    assert.equal(titleOf({ ...state, phase: "event" }, en, form, "Lights"), `${en[phase][0]} – Lights`);
  }
  for (const phase of ["pre_queue", "open", "paused", "pass_through"])
    assert.equal(viewOf({ phase: "outside", event: { phase } }), "outside");
  assert.equal(viewOf({ phase: "turn", event: { phase: "paused" } }), "turn");
  assert.equal(noteText({ phase: "outside", event: { phase: "paused" } }, en, form), en.stopped);
  const event = { phase: "pre_queue", opensAt: 100_000 };
  assert.equal(noteText({ phase: "outside", event, serverNow: 40_000 }, en, form), "Admission begins in 1:00");
  assert.equal(noteText({ phase: "outside", event, serverNow: 140_000 }, en, form), en.opening);
  assert.equal(form.until(200_000, en), "2 days");
  assert.match(form.date(1_800_000_000_000), /^Friday.* 15 January.* \d\d:00/);
});

test("no label announces an estimate while the event is paused or not open, also for the next visitor", () => {
  const next = { phase: "waiting", number: 9, ahead: 1, serverNow: 0 };
  for (const wait of [{ kind: "paused" }, { kind: "opening", opensAt: 60_000 }]) {
    assert.equal(waitLabel({ ...next, wait }, en), "");
    const said = announcer()({ ...next, wait }, en, form, 0);
    assert.ok(said.includes(` ${waitText({ ...next, wait }, en, form)}.`) && !said.includes(en.wait) && !said.includes("Almost"), said);
  }
  assert.equal(waitLabel({ ...next, wait: { kind: "unknown" } }, en), en.near);
  assert.equal(waitLabel({ ...next, ahead: 9, wait: { kind: "unknown" } }, en), en.wait);
});

test("the title of a section is a sentence of its own when it is read aloud", () => {
  assert.equal(announcer()({ phase: "event", event: { phase: "closed" } }, en, form, 0), `${en.closed[0]}. ${en.closed[1]}`);
  assert.equal(announcer()({ phase: "over", reason: "expired" }, en, form, 0), `${en.expired[0]}. ${en.expired[1]}`);
});

test("a visitor near the front hears it once", () => {
  const near = { phase: "waiting", number: 9, ahead: 5, wait: { kind: "range", from: 1, to: 2 } };
  assert.ok(isNear(near) && !isNear({ ...near, wait: { kind: "paused" } }) && !isNear({ ...near, wait: { kind: "range", from: 2, to: 4 } }));
  const announce = announcer();
  announce({ ...near, ahead: 8, wait: { kind: "range", from: 3, to: 5 } }, en, form, 0);
  assert.match(announce(near, en, form, 0), /^.*Almost your turn/);
  assert.equal(announce({ ...near, ahead: 4 }, en, form, 0), "");
});
