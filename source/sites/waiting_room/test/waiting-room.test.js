// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { beforeEach, test } from "node:test";
import { backOff, waitingRoom } from "../waiting-room.js";
import { Clock, Profile, Server } from "./fakes.js";
import { seeded } from "./simulated-queue.js";

const KEY = "waiting-room:Sample";
let clock, server, profile;

beforeEach(() => {
  clock = new Clock();
  server = new Server(clock);
  profile = new Profile(clock, server);
});

/** A page in a tab: its room, and the states it received. */
function open(options) {
  const browser = profile.tab(options);
  const room = waitingRoom({ eventId: "Sample", publicApi: "https://room.example/api", browser });
  const page = { browser, room, states: [], stop: null };
  page.stop = room.watch((state) => page.states.push(state));
  Object.defineProperty(page, "state", { get: () => page.states.at(-1) });
  return page;
}

async function joined(others = 0) {
  server.queueCounter = others;
  const page = open();
  await clock.pass(1);
  page.room.join();
  await clock.pass(1.5);
  return page;
}

const stored = () => JSON.parse(profile.stored.get(KEY) ?? "null");

test("pauses double up to a minute, whatever the number of failures", () => {
  const pauses = [1, 2, 3, 4, 5, 6, 7, 8, 10_000].map((tries) => backOff(tries, 0, 0.5));
  assert.deepEqual(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
});

test("a pause is never shorter than Retry-After, up to a limit", () => {
  for (const random of [0, 0.5, 1]) {
    assert.ok(backOff(1, 120, random) >= 120);
    assert.ok(backOff(1, 1e9, random) <= 1125);
  }
});

test("a visitor joins, waits, is served and gets a token", async () => {
  const page = open();
  await clock.pass(1);
  assert.equal(page.state.phase, "outside");
  server.queueCounter = 9;
  page.room.join();
  await clock.pass(1.5);
  const { phase, number, ahead, waiting, progress } = page.state;
  assert.deepEqual([phase, number, ahead, waiting, progress], ["waiting", 10, 10, 10, 0]);
  server.serving = 5;
  await clock.pass(10);
  assert.deepEqual([page.state.ahead, page.state.progress], [5, 0.5]);
  server.serving = 10;
  await clock.pass(10);
  assert.equal(page.state.phase, "turn");
  const got = page.room.token();
  await clock.pass(1);
  assert.equal((await got).access_token, server.tokens.access_token);
});

test("the state has the operator's message and the rate", async () => {
  const page = await joined(99);
  assert.deepEqual([page.state.rate, page.state.wait], [0, { kind: "unknown" }]);
  Object.assign(server, { rate: 10, message: "Doors open at eight" });
  await clock.pass(10);
  const { kind, from, to } = page.state.wait;
  assert.ok(kind === "range" && from >= 7 && from < 10 && to > 10 && to <= 14, `${from} ${to}`);
  assert.equal(page.state.message, "Doors open at eight");
});

test("the position is protected by a secret; only its hash is sent before the turn", async () => {
  const page = await joined();
  const { client_secret } = stored();
  const sent = server.calls.find((call) => call.path === "/assign_queue_num").body;
  assert.equal(sent.client_secret_hash, createHash("sha256").update(client_secret).digest("hex"));
  assert.match(client_secret, /^[0-9a-f]{64}$/);
  assert.ok(!JSON.stringify(server.calls).includes(client_secret));
  server.serving = 1;
  page.room.token();
  await clock.pass(1);
  assert.equal(server.calls.at(-1).body?.client_secret ?? client_secret, client_secret);
  assert.equal(server.calls.find((call) => call.path === "/generate_token").body.client_secret, client_secret);
  assert.ok(!server.calls.some((call) => call.url.includes(client_secret)));
});

test("two positions have two secrets", async () => {
  await joined();
  const first = stored().client_secret;
  profile = new Profile(clock, server);
  await joined();
  assert.notEqual(stored().client_secret, first);
});

test("no token is ever stored", async () => {
  const page = await joined();
  server.serving = 1;
  page.room.token();
  await clock.pass(5);
  assert.ok(stored().taken);
  assert.ok(!profile.written.join().includes("access"));
});

test("a page without crypto joins without a secret", async () => {
  const page = open({ crypto: null });
  page.room.join();
  await clock.pass(2);
  assert.equal(page.state.phase, "waiting");
  assert.equal("client_secret" in stored(), false);
});

test("a room that rejects the secret's hash is joined without one", async () => {
  server.fault = (path, body) =>
    path === "/assign_queue_num" && body.client_secret_hash ? [400, { error: "extra field" }] : null;
  const page = await joined();
  await clock.pass(3);
  assert.equal(page.state.phase, "waiting");
  assert.equal("client_secret" in stored(), false);
});

test("a rejected join throws, and the page is outside again", async () => {
  const page = open();
  server.fault = (path) => (path === "/assign_queue_num" ? [400, { error: "unknown event" }] : "hang");
  let phase;
  const refused = assert.rejects(page.room.join(), /unknown event/).then(() => (phase = page.state.phase));
  await clock.pass(9);
  await refused;
  assert.equal(phase, "outside"); // already then, whatever else is on its way
  assert.equal(page.state.phase, "outside");
});

test("the position survives a reload and a closed tab", async () => {
  const first = await joined(4);
  first.stop();
  const again = open();
  await clock.pass(1);
  assert.deepEqual([again.state.phase, again.state.number], ["waiting", 5]);
  again.room.join();
  await clock.pass(1);
  assert.equal(server.count("/assign_queue_num"), 1);
});

test("two tabs that join at the same time make one join", async () => {
  const [one, other] = [open(), open()];
  await clock.pass(1);
  one.room.join();
  other.room.join();
  await clock.pass(3);
  assert.equal(server.count("/assign_queue_num"), 1);
  assert.equal(one.state.number, other.state.number);
});

test("a second open tab shares the position at once", async () => {
  const second = open();
  await clock.pass(1);
  assert.equal(second.state.phase, "outside");
  const first = await joined();
  assert.deepEqual([second.state.phase, second.state.number], ["waiting", first.state.number]);
});

test("without storage the state says so, and the page still waits", async () => {
  const page = open({ blocked: true });
  page.room.join();
  await clock.pass(3);
  assert.deepEqual([page.state.phase, page.state.kept], ["waiting", false]);
});

test("the number is not polled in the second in which the worker batches joins", async () => {
  await joined();
  const [join, ask] = ["/assign_queue_num", "/queue_num"].map((path) => server.calls.find((call) => call.path === path).at);
  assert.ok(ask - join >= 950 && ask - join <= 1450, String(ask - join));
});

test("without a number the polls become less frequent", async () => {
  server.withoutNumber = true;
  const page = await joined();
  assert.equal(page.state.phase, "placing");
  await clock.pass(60);
  const at = server.calls.filter((call) => call.path === "/queue_num").map((call) => call.at);
  const gaps = at.slice(1).map((moment, index) => (moment - at[index]) / 1000);
  assert.ok(gaps[0] < 2 && gaps.at(-1) > 7, String(gaps));
  assert.ok(gaps.every((gap) => gap <= 12));
  server.withoutNumber = false;
  await clock.pass(12);
  assert.equal(page.state.phase, "waiting");
});

test("a join without a number after a day is lost", async () => {
  server.withoutNumber = true;
  const page = await joined();
  await clock.pass(86_500);
  assert.deepEqual([page.state.phase, page.state.reason], ["over", "reset"]);
});

test("after a day without a response the page recovers within 75 seconds", async () => {
  const page = await joined(5);
  server.fault = () => "down";
  await clock.pass(86_400);
  assert.equal(page.state.phase, "waiting");
  assert.equal(page.state.trouble.kind, "unreachable");
  assert.equal(page.state.held, true);
  const tries = server.calls.length;
  assert.ok(tries > 1400 && tries < 1600, String(tries));
  server.fault = () => null;
  await clock.pass(75);
  assert.equal(page.state.trouble, null);
});

test("a join is retried through an outage until there is a position", async () => {
  const page = open();
  server.fault = () => "down";
  page.room.join();
  await clock.pass(300);
  server.fault = () => null;
  await clock.pass(75);
  assert.equal(page.state.phase, "waiting");
});

test("a call without a response times out after ten seconds and is retried", async () => {
  const page = await joined(5);
  server.fault = () => "hang";
  await clock.pass(20);
  assert.equal(page.state.trouble.kind, "unreachable");
  server.fault = () => null;
  await clock.pass(20);
  assert.equal(page.state.trouble, null);
});

test("Retry-After is respected", async () => {
  const page = await joined(5);
  server.fault = () => [503, { error: "busy" }, { "Retry-After": "120" }];
  await clock.pass(10);
  assert.equal(page.state.trouble.kind, "busy");
  const before = server.calls.length;
  await clock.pass(105);
  assert.equal(server.calls.length, before);
  await clock.pass(50);
  assert.ok(server.calls.length > before);
});

test("a response that is not from the room is ignored", async () => {
  const page = await joined(5);
  for (const unexpected of [[200, null], [200, { hello: 1 }], [200, { serving_counter: "many" }]]) {
    server.fault = () => unexpected;
    await clock.pass(30);
    assert.equal(page.state.phase, "waiting");
    assert.ok(page.state.trouble);
  }
});

test("offline has its own state, and the page recovers at once", async () => {
  const page = await joined(5);
  server.fault = () => "down";
  page.browser.isOnline = false;
  await clock.pass(100);
  assert.equal(page.state.trouble.kind, "offline");
  server.fault = () => null;
  page.browser.isOnline = true;
  page.browser.fire("online");
  await clock.pass(0.1);
  assert.equal(page.state.trouble, null);
});

test("a hidden page polls about once a minute, and detects its turn within 75 seconds", async () => {
  const page = await joined(5);
  server.rate = 1;
  page.browser.hide(true);
  await clock.pass(60);
  const before = server.count("/status");
  await clock.pass(3600);
  const asked = server.count("/status") - before;
  assert.ok(asked >= 58 && asked <= 78, String(asked));
  server.serving = 6;
  await clock.pass(60);
  assert.equal(page.state.phase, "turn");
});

test("a page that becomes visible polls at once", async () => {
  const page = await joined(5);
  page.browser.hide(true);
  await clock.pass(6);
  server.serving = 6;
  page.browser.hide(false);
  await clock.pass(0.1);
  assert.equal(page.state.phase, "turn");
});

test("a hidden page without a position does not poll", async () => {
  const page = open();
  await clock.pass(1);
  page.browser.hide(true);
  await clock.pass(10);
  const before = server.calls.length;
  await clock.pass(3600);
  assert.equal(server.calls.length, before);
});

test("a page that was hidden for long checks its position", async () => {
  const page = await joined(5);
  page.browser.hide(true);
  await clock.pass(3600);
  server.reset();
  server.queueCounter = 5000; // the new queue is longer than the old one was
  page.browser.hide(false);
  await clock.pass(4);
  assert.deepEqual([page.state.phase, page.state.reason], ["over", "reset"]);
});

test("a reset is detected while waiting, and the visitor can join again", async () => {
  const page = await joined(5);
  await clock.pass(20);
  server.reset();
  await clock.pass(20);
  assert.deepEqual([page.state.phase, page.state.reason], ["over", "reset"]);
  const before = server.calls.length;
  await clock.pass(600);
  assert.equal(server.calls.length, before); // nothing to ask any more
  page.room.join();
  await clock.pass(2);
  assert.deepEqual([page.state.phase, page.state.number], ["waiting", 1]);
});

test("a tab that joins again updates the other tabs", async () => {
  const first = await joined(5);
  const second = open();
  await clock.pass(20);
  server.reset();
  await clock.pass(20);
  assert.equal(second.state.phase, "over");
  first.room.join();
  await clock.pass(2);
  assert.deepEqual([second.state.phase, second.state.number], ["waiting", 1]);
});

test("a move back by an operator does not count as a reset", async () => {
  const page = await joined(50);
  server.serving = 40;
  await clock.pass(20);
  const before = server.count("/queue_num");
  server.serving = 10;
  await clock.pass(60);
  assert.deepEqual([page.state.phase, page.state.ahead], ["waiting", 41]);
  assert.equal(server.count("/queue_num"), before);
});

test("a counter behind the visitor's number causes one check, not one per poll", async () => {
  const page = await joined(50);
  server.queueCounter = 10; // a counter during a rebuild
  await clock.pass(60);
  assert.equal(page.state.phase, "waiting");
  assert.ok(server.count("/queue_num") <= 8);
});

test("a turn that can expire has an end; others have none", async () => {
  const page = await joined();
  server.serving = 1;
  await clock.pass(10);
  assert.equal(page.state.expiresAt, null);
  server.expiresIn = 90;
  await clock.pass(40);
  assert.ok(Math.abs(page.state.expiresAt - clock.now - 90_000) < 40_000);
});

test("an expired turn is shown as expired, soon after its end", async () => {
  const page = await joined();
  Object.assign(server, { serving: 1, expiresIn: 20 });
  await clock.pass(5);
  assert.equal(page.state.phase, "turn");
  server.expiresIn = -1;
  await clock.pass(26);
  assert.deepEqual([page.state.phase, page.state.reason], ["over", "expired"]);
});

test("an ended session is shown as ended, not as expired", async () => {
  const page = await joined();
  server.serving = 1;
  page.room.token();
  await clock.pass(2);
  server.fault = (path) => (path === "/generate_token" ? server.ended("session_ended") : null);
  const again = page.room.token();
  await clock.pass(5);
  assert.equal(await again, null);
  assert.deepEqual([page.state.phase, page.state.reason], ["over", "ended"]);
});

test("a session whose token has expired is shown as expired", async () => {
  const page = await joined();
  server.serving = 1;
  page.room.token();
  await clock.pass(2);
  server.fault = (path) => (path === "/generate_token" ? server.ended("token_expired") : null);
  const again = page.room.token();
  await clock.pass(5);
  assert.equal(await again, null);
  assert.deepEqual([page.state.phase, page.state.reason], ["over", "session_expired"]);
});

test("a position of another browser has its own reason", async () => {
  const page = await joined();
  server.serving = 1;
  server.fault = (path) =>
    path === "/generate_token"
      ? [403, { error: "client_secret does not match the client_secret_hash of the join" }]
      : null;
  page.room.token();
  await clock.pass(5);
  assert.deepEqual([page.state.phase, page.state.reason], ["over", "refused"]);
});

test("a 403 of a firewall is retried", async () => {
  const page = await joined(5);
  server.fault = () => [403, { message: "Forbidden" }];
  await clock.pass(60);
  assert.equal(page.state.phase, "waiting");
  assert.ok(page.state.trouble);
});

test("a 403 of a firewall to a token call ends no position", async () => {
  const page = await joined();
  server.serving = 1;
  server.fault = (path) => (path === "/generate_token" ? [403, { message: "Forbidden" }] : null);
  const got = page.room.token();
  await clock.pass(10);
  assert.ok(page.state.trouble);
  server.fault = () => null;
  await clock.pass(10);
  assert.ok(await got);
});

test("a token request before the turn changes nothing", async () => {
  const page = await joined(5);
  const got = page.room.token();
  await clock.pass(3);
  assert.equal(await got, null);
  assert.equal(page.state.phase, "waiting");
});

for (const [name, fault] of [["is not there", [404, {}]], ["cannot be read", "down"]])
  test(`where /status ${name}, the AWS solution's two numbers do`, async () => {
    server.fault = (path) => (path === "/status" ? fault : null);
    const page = await joined(5);
    const { phase, ahead, waiting, rate, trouble } = page.state;
    assert.deepEqual([phase, ahead, waiting, rate, trouble], ["waiting", 6, 6, undefined, null]);
    const tried = server.count("/status");
    server.serving = 6;
    await clock.pass(30);
    assert.equal(page.state.phase, "turn");
    assert.equal(server.count("/status"), tried);
  });

test("an outage does not count as a room without /status", async () => {
  const page = await joined(5);
  server.fault = () => "down";
  await clock.pass(60);
  server.fault = () => null;
  await clock.pass(75);
  assert.equal(server.count("/serving_num"), 0);
  assert.equal(page.state.trouble, null);
});

test("a reset is also detected with the AWS solution's routes", async () => {
  server.fault = (path) => (path === "/status" ? [404, {}] : null);
  server.plain = true;
  const page = await joined(5);
  server.serving = 3;
  await clock.pass(60);
  assert.equal(server.count("/queue_num"), 1); // without a reason it is not asked again
  server.reset();
  await clock.pass(20);
  assert.deepEqual([page.state.phase, page.state.reason], ["over", "reset"]);
});

test("many pages that start together do not poll together", async () => {
  server.queueCounter = 1000;
  server.pollAfter = 20;
  const random = seeded(50);
  for (let tab = 0; tab < 50; tab += 1) {
    profile = new Profile(clock, server);
    open({ random }).room.join();
  }
  await clock.pass(120);
  const seconds = new Map();
  for (const { at } of server.calls.filter((call) => call.path === "/status" && call.at > clock.now - 60_000))
    seconds.set(Math.floor(at / 1000), (seconds.get(Math.floor(at / 1000)) ?? 0) + 1);
  assert.ok(Math.max(...seconds.values()) < 25, JSON.stringify([...seconds.values()]));
});

test("the docs describe every member of the state and no other", async () => {
  const page = await joined(5);
  server.serving = 6;
  server.expiresIn = 60;
  await clock.pass(20);
  server.reset();
  await clock.pass(60);
  assert.equal(page.state.phase, "over");
  const docs = await readFile(new URL("../../../../docs/pages.md", import.meta.url), "utf8");
  const table = docs.split("| in the state |")[1].split("\n\n")[0];
  const named = table.split("\n").flatMap((row) => row.split("|")[1]?.match(/\w+(?=`)/g) ?? []);
  const given = new Set(page.states.flatMap((state) => Object.keys(state)));
  assert.deepEqual([...given].sort(), named.sort());
});

test("the types have every member and no other", async () => {
  const page = await joined(5);
  server.reset();
  await clock.pass(60);
  const types = await readFile(new URL("../waiting-room.d.ts", import.meta.url), "utf8");
  const names = (part, shape) => {
    const body = types.split(`export interface ${part} {`)[1].split("\n}")[0];
    return [...body.matchAll(shape)].map(([, name]) => name).sort();
  };
  const given = [...new Set(page.states.flatMap((state) => Object.keys(state)))].sort();
  assert.deepEqual(names("State", /^ {2}readonly (\w+)\??:/gm), given);
  assert.deepEqual(names("Room", /^ {2}(\w+)\(/gm), Object.keys(page.room).sort());
});

test("a stopped page does not poll", async () => {
  const page = await joined(5);
  page.stop();
  await clock.pass(5);
  const before = server.calls.length;
  await clock.pass(600);
  assert.equal(server.calls.length, before);
});
