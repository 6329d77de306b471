// SPDX-License-Identifier: Apache-2.0
// Faults of networks and browsers never end a position.
import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { waitingRoom } from "../waiting-room.js";
import { Clock, Profile, Server } from "./fakes.js";

const KEY = "waiting-room:Sample";
const JOIN = "/assign_queue_num";
let clock, server, profile;

beforeEach(() => {
  mock.restoreAll();
  clock = new Clock();
  server = new Server(clock);
  profile = new Profile(clock, server);
});

function open(options, change = {}) {
  const browser = Object.assign(profile.tab(options), change);
  const room = waitingRoom({ eventId: "Sample", publicApi: "https://room.example/api", browser });
  const page = { browser, room, states: [], stop: null };
  page.stop = room.watch((state) => page.states.push(state));
  Object.defineProperty(page, "state", { get: () => page.states.at(-1) });
  return page;
}

async function joined(others = 0, options = undefined, change = {}) {
  server.queueCounter = others;
  const page = open(options, change);
  await clock.pass(1);
  page.room.join();
  await clock.pass(1.5);
  assert.equal(page.state.phase, "waiting");
  return page;
}

const stored = () => JSON.parse(profile.stored.get(KEY) ?? "null");
const times = (path) => server.calls.filter((call) => call.path === path).map(({ at }) => at);

// --- responses that are not from the room

const HTML = null; // a body that is no JSON: a portal, a proxy, half an answer
const UNEXPECTED = [
  [200, HTML], [200, {}], [200, []], [200, "OK"], [200, { hello: 1 }],
  [200, { queue_number: 0, serving_counter: -1, expires_in: "9", access_token: "" }], [202, HTML], [202, {}], [204, HTML],
  ...[400, 401, 402, 403, 404, 405, 407, 408, 410, 415, 421, 425, 451, 500, 502, 504, 511].flatMap((status) => [
    [status, { message: "Not Found" }], [status, { error: "refused by policy" }], [status, HTML],
  ]),
  [410, { error: "gone", reason: "toString" }], [410, { reason: "reset" }],
  [410, { error: "gone", reason: "reset", event_id: "Other" }],
];
const ROUTES = ["/queue_num", "/queue_pos_expiry", "/generate_token", "/status"];
const OURS = { "/queue_num": [202], "/queue_pos_expiry": [202], "/generate_token": [202] };
const isOurs = (path, [status, content]) => OURS[path]?.includes(status) && content?.error;

for (const path of ROUTES)
  test(`no response of another server at ${path} ends a position or changes its number`, async () => {
    for (const unexpected of UNEXPECTED.filter((one) => !isOurs(path, one))) {
      clock = new Clock();
      server = new Server(clock);
      profile = new Profile(clock, server);
      const page = await joined(5);
      const before = stored();
      if (path !== "/status") server.serving = 6;
      server.fault = (called) => (called === path ? unexpected : null);
      page.browser.fire("pageshow", { persisted: true }); // it has to ask for the number again
      const got = path === "/generate_token" ? page.room.token() : null;
      await clock.pass(90);
      const details = JSON.stringify([path, unexpected]);
      assert.ok(["waiting", "turn"].includes(page.state.phase), details);
      assert.ok(page.state.trouble, details);
      server.fault = () => null;
      await clock.pass(90);
      assert.equal(page.state.trouble, null, details);
      assert.equal((await got)?.access_token, got ? server.tokens.access_token : undefined, details);
      const { request_id, number, client_secret } = stored();
      assert.deepEqual([request_id, number, client_secret], [before.request_id, 6, before.client_secret], details);
      assert.equal(server.count(JOIN), 1, details);
      page.stop();
    }
  });

test("a position ends after two responses of the room, not after one", async () => {
  const page = await joined(5);
  let times_ = 0;
  server.fault = (path) => (path === "/queue_num" && (times_ += 1) === 1 ? server.ended("reset") : null);
  page.browser.fire("pageshow", { persisted: true });
  await clock.pass(10);
  assert.equal(page.state.phase, "waiting");
  assert.equal(times_, 2);
  server.fault = (path) => (path === "/queue_num" ? server.ended("reset") : null);
  page.browser.fire("pageshow", { persisted: true });
  await clock.pass(5);
  assert.deepEqual([page.state.phase, page.state.reason], ["over", "reset"]);
});

test("an unexpected response to a join neither sets nor ends a position", async () => {
  for (const unexpected of [[200, HTML], [200, {}], [200, { api_request_id: "no id" }], [404, { message: "Not Found" }]]) {
    profile = new Profile(clock, server);
    const page = open();
    let requests = 0;
    server.fault = (path) => (path === JOIN && (requests += 1) === 1 ? unexpected : null);
    page.room.join();
    await clock.pass(30);
    assert.equal(page.state.phase, "waiting", JSON.stringify(unexpected));
    assert.equal(requests, 2);
    page.stop();
  }
});

test("without a network a reloaded page shows its stored position", async () => {
  const first = await joined(5);
  server.serving = 2;
  await clock.pass(10);
  first.stop();
  server.fault = () => [511, HTML];
  const page = open();
  await clock.pass(5);
  const { phase, number, ahead, trouble, held } = page.state;
  assert.deepEqual([phase, number, ahead, trouble.kind, held], ["waiting", 6, 4, "portal", true]);
});

// --- slow responses

test("a join response after 25 seconds causes no second join", async () => {
  server.fault = (path) => (path === JOIN ? { after: 25 } : null);
  const page = open();
  page.room.join();
  await clock.pass(40);
  assert.deepEqual([page.state.phase, page.state.number], ["waiting", 1]);
  assert.equal(server.count(JOIN), 1);
});

test("a join response after the timeout still sets the position", async () => {
  server.fault = (path) => (path === JOIN ? { after: 33 } : null);
  const page = open();
  page.room.join();
  await clock.pass(60);
  assert.deepEqual([page.state.phase, page.state.number], ["waiting", 1]);
  assert.equal(server.count(JOIN), 1);
});

test("of several positions the lowest number counts, and all are stored", async () => {
  let requests = 0;
  server.fault = (path) => (path === JOIN && (requests += 1) === 1 ? { after: 50 } : null);
  const page = open();
  page.room.join();
  await clock.pass(48);
  assert.equal(server.count(JOIN), 2); // the first one seemed lost
  assert.equal(page.state.number, 2);
  await clock.pass(20);
  assert.deepEqual([page.state.phase, page.state.number], ["waiting", 1]);
  const { request_id, others } = stored();
  assert.equal(server.positions.get(request_id).number, 1);
  assert.deepEqual(others.map(({ number }) => number), [2]);
  page.stop();
  const again = open();
  await clock.pass(2);
  assert.equal(again.state.number, 1);
  server.serving = 1;
  const got = again.room.token();
  await clock.pass(3);
  assert.ok(await got);
  const { body } = server.calls.find(({ path }) => path === "/generate_token");
  assert.deepEqual([body.request_id, body.client_secret], [request_id, stored().client_secret]);
});

test("joins without a response become less frequent and stop; the visitor may try again", async () => {
  server.fault = (path) => (path === JOIN ? "hang" : null);
  const page = open();
  let failed = 0;
  const join = () => page.room.join().catch(() => (failed += 1));
  join();
  for (let minute = 0; minute < 60; minute += 1) {
    await clock.pass(60);
    for (const name of ["online", "pageshow", "visibilitychange"]) page.browser.fire(name, { persisted: true });
    page.room.retry();
  }
  assert.equal(failed, 1);
  const gaps = times(JOIN).slice(1).map((at, index) => (at - times(JOIN)[index]) / 1000);
  assert.equal(gaps.length, 7);
  assert.ok(gaps.every((gap, index) => gap > 31 && (index < 2 || gap > gaps[index - 1])), String(gaps));
  assert.equal(page.state.phase, "outside");
  server.fault = () => null;
  join();
  await clock.pass(400);
  assert.deepEqual([page.state.phase, page.state.held], ["waiting", true]);
});

test("an outage causes one extra join, whatever its length", async () => {
  const page = open();
  server.fault = () => "down";
  page.room.join();
  await clock.pass(3600);
  assert.equal(server.count(JOIN), 1);
  server.fault = () => null;
  await clock.pass(75);
  assert.equal(page.state.phase, "waiting");
  assert.equal(server.count(JOIN), 2);
});

// --- Retry-After

const impatient = async (page, seconds) => {
  for (let second = 0; second < seconds; second += 1) {
    page.browser.fire("online");
    page.browser.fire("pageshow", { persisted: true });
    page.browser.hide(second % 2 === 0);
    page.browser.hide(false);
    page.room.retry();
    await clock.pass(1);
  }
};
const busy = (seconds) => [429, { error: "busy" }, { "Retry-After": String(seconds) }];

test("no event, press or reload sends a call before Retry-After has passed", async () => {
  for (const [path, start] of [
    [JOIN, (page) => page.room.join()],
    ["/status", () => {}],
    ["/generate_token", (page) => page.room.token()],
    ["/queue_num", () => {}],
    ["/queue_pos_expiry", () => {}],
  ]) {
    clock = new Clock();
    server = new Server(clock);
    profile = new Profile(clock, server);
    let page = path === JOIN ? open() : await joined(0);
    if (path !== JOIN && path !== "/queue_num") server.serving = 1;
    await clock.pass(1);
    const before = server.count(path);
    server.fault = (called) => (called === path ? busy(300) : null);
    if (path !== "/status") page.browser.fire("pageshow", { persisted: true });
    start(page);
    await impatient(page, 60);
    assert.equal(server.count(path), before + 1, path);
    assert.equal(page.state.trouble?.kind, "busy", path);
    assert.ok(page.state.trouble.retryAt > page.room.now() + 100_000, path);
    page.stop();
    page = open(); // a reload, and a second tab
    start(page);
    await impatient(page, 200);
    assert.equal(server.count(path), before + 1, path);
    server.fault = () => null;
    await clock.pass(150);
    assert.equal(server.count(path) > before + 1, true, path);
    page.stop();
  }
});

test("a pending join does not block the display", async () => {
  const page = open();
  server.fault = (path) => (path === JOIN ? busy(300) : null);
  page.room.join();
  await clock.pass(20);
  server.message = "Doors open at eight";
  await clock.pass(20);
  assert.equal(page.state.message, "Doors open at eight");
  assert.equal(page.state.trouble.kind, "busy");
});

test("a date in Retry-After is compared with the server's clock, not the device's", async () => {
  const page = await joined(5);
  clock.skew = 7 * 86_400_000;
  const date = new Date(clock.real + 120_000).toUTCString();
  let requests = 0;
  server.fault = (path) => (path === "/status" && (requests += 1) ? [503, {}, { "Retry-After": date }] : null);
  await clock.pass(110);
  assert.equal(requests, 1);
  assert.ok(page.state.trouble);
});

// --- clocks

test("a clock jump changes nothing", async () => {
  for (const days of [-400, -1, 1, 400]) {
    clock = new Clock();
    server = new Server(clock);
    profile = new Profile(clock, server);
    server.withoutNumber = true;
    const page = open();
    page.room.join();
    await clock.pass(30);
    clock.skew = days * 86_400_000;
    await clock.pass(60);
    assert.equal(page.state.phase, "placing", String(days));
    server.withoutNumber = false;
    await clock.pass(30);
    Object.assign(server, { serving: 1, expiresIn: 600 });
    await clock.pass(60);
    assert.equal(page.state.phase, "turn");
    const left = (page.state.expiresAt - page.room.now()) / 1000;
    assert.ok(left > 500 && left <= 600, String(left));
    page.stop();
    const again = open();
    await clock.pass(5);
    assert.equal(again.state.phase, "turn");
    assert.equal(server.count(JOIN), 1);
    again.stop();
  }
});

test("a join of a device whose clock was a year ahead survives the correction of the clock", async () => {
  clock.skew = -400 * 86_400_000;
  server.withoutNumber = true;
  const page = open();
  page.room.join();
  await clock.pass(60);
  clock.skew = 0;
  page.stop();
  const again = open();
  await clock.pass(60);
  assert.equal(again.state.phase, "placing");
});

test("after an hour of sleep the page polls within 15 seconds, without a new join", async () => {
  server.pollAfter = 120;
  const page = await joined(99);
  await clock.pass(30);
  const requests = server.count("/status");
  clock.slept += 3_600_000;
  server.serving = 100;
  await clock.pass(15.1);
  assert.ok(server.count("/status") > requests);
  assert.equal(page.state.phase, "turn");
  assert.equal(server.count(JOIN), 1);
});

test("the back-forward cache and a second tab keep the position and add no join", async () => {
  const page = await joined(5);
  page.browser.fire("pageshow", { persisted: true });
  const twin = open();
  await clock.pass(5);
  for (const one of [page, twin]) {
    one.room.join();
    await clock.pass(3);
    assert.equal(one.state.number, 6);
  }
  assert.equal(server.count(JOIN), 1);
});

// --- outdated responses

const statusResponse = (change) => [200, { event_id: "Sample", waiting_num: 1, queue_counter: 6, ...change }];

test("a status older than the last one is not shown", async () => {
  const page = await joined(5);
  const at = clock.real / 1000;
  let answers = [statusResponse({ serving_counter: 6, now: at + 5 }), statusResponse({ serving_counter: 2, now: at + 1 })];
  server.fault = (path) => (path === "/status" ? answers.shift() ?? statusResponse({ serving_counter: 6, now: clock.real / 1000 }) : null);
  page.room.retry();
  await clock.pass(0.1);
  assert.equal(page.state.phase, "turn");
  const from = page.states.length;
  page.room.retry();
  await clock.pass(60);
  assert.deepEqual(new Set(page.states.slice(from).map(({ phase }) => phase)), new Set(["turn"]));
  assert.deepEqual(answers, []);
});

test("a turn does not flicker without times in /status, and ends after a real move back", async () => {
  const page = await joined(5);
  let serving = [6, 2, 6];
  server.fault = (path) => (path === "/status" ? statusResponse({ serving_counter: serving.length > 1 ? serving.shift() : serving[0] }) : null);
  page.room.retry();
  await clock.pass(0.1);
  const from = page.states.length;
  page.room.retry();
  await clock.pass(60);
  assert.deepEqual(new Set(page.states.slice(from).map(({ phase }) => phase)), new Set(["turn"]));
  serving = [2];
  await clock.pass(60);
  assert.deepEqual([page.state.phase, page.state.ahead], ["waiting", 4]);
});

test("a server whose clock went back is accepted after a minute", async () => {
  const page = await joined(5);
  const behind = () => statusResponse({ serving_counter: 3, now: clock.real / 1000 - 3600 });
  server.fault = (path) => (path === "/status" ? behind() : null);
  await clock.pass(75);
  assert.equal(page.state.ahead, 3);
});

// --- features that a browser rejects

const refuse = () => {
  throw new DOMException("not here", "SecurityError");
};
const REFUSALS = {
  "no storage": { storage: undefined },
  "storage that throws": { storage: { getItem: refuse, setItem: refuse } },
  "storage that is full": { storage: { getItem: () => null, setItem: refuse } },
  "storage with invalid content": { storage: { getItem: () => '[{"request_id": 7}]', setItem: () => {} } },
  "no locks": { locks: undefined },
  "locks that throw": { locks: { request: refuse } },
  "locks that reject": { locks: { request: async () => refuse() } },
  "locks that never come": { locks: { request: () => new Promise(() => {}) } },
  "no crypto": { crypto: undefined },
  "crypto that throws": { crypto: { getRandomValues: refuse, subtle: { digest: refuse } } },
  "crypto that rejects": { crypto: { getRandomValues: (into) => into, subtle: { digest: async () => refuse() } } },
};

for (const [name, change] of Object.entries(REFUSALS))
  test(`a browser with ${name} stops nobody`, async () => {
    const page = open({}, change);
    page.room.join();
    await clock.pass(50);
    assert.equal(page.state.phase, "waiting");
    assert.equal(server.count(JOIN), 1);
    server.serving = 1;
    const got = page.room.token();
    await clock.pass(5);
    assert.equal((await got).access_token, server.tokens.access_token);
  });

test("a browser that rejects features does not stop the join", async () => {
  const refused = { localStorage: refuse, crypto: refuse };
  const saved = Object.keys(refused).map((name) => [name, Object.getOwnPropertyDescriptor(globalThis, name)]);
  for (const name in refused) Object.defineProperty(globalThis, name, { get: refuse, configurable: true });
  Object.assign(globalThis, { window: new EventTarget(), document: new EventTarget() });
  try {
    mock.method(globalThis, "fetch", async () => new Response(JSON.stringify({ serving_counter: 3 })));
    const room = waitingRoom({ eventId: "Sample", publicApi: "https://room.example/api" });
    const phases = [];
    const stop = room.watch(({ phase, serving }) => phases.push([phase, serving]));
    for (let turns = 0; turns < 20; turns += 1) await new Promise((done) => setImmediate(done));
    stop();
    assert.deepEqual(phases.at(-1), ["outside", 3]);
  } finally {
    for (const [name, found] of saved)
      if (found) Object.defineProperty(globalThis, name, found);
      else delete globalThis[name];
    delete globalThis.window;
    delete globalThis.document;
  }
});

test("tabs without locks that join at once end with one position, the lower number", async () => {
  const [first, second] = [open({}, { locks: undefined }), open({}, { locks: undefined })];
  server.fault = (path) => (path === JOIN ? { after: 1 } : null);
  await clock.pass(1);
  first.room.join();
  second.room.join();
  await clock.pass(20);
  assert.deepEqual([first.state.number, second.state.number], [1, 1]);
});

test("a tab that waits for a retry does not block other tabs", async () => {
  const [first, second] = [open(), open()];
  let requests = 0;
  server.fault = (path) => (path === JOIN && (requests += 1) < 3 ? [503, { error: "busy" }] : null);
  await clock.pass(1);
  first.room.join();
  await clock.pass(0.1);
  let free = false;
  profile.locks.request(KEY, async () => (free = true));
  await clock.pass(0.1);
  assert.ok(free);
  second.room.join();
  await clock.pass(20);
  assert.deepEqual([first.state.phase, second.state.number], ["waiting", first.state.number]);
});

test("a listener that throws is not a network fault and stops nothing", async () => {
  const errors = mock.method(console, "error", () => {});
  const page = open();
  const boom = new Error("of the page");
  const stop = page.room.watch(() => {
    throw boom;
  });
  page.room.join();
  await clock.pass(5);
  assert.equal(page.state.phase, "waiting");
  assert.deepEqual(page.states.filter(({ trouble }) => trouble), []);
  assert.ok(errors.mock.calls.every((call) => call.arguments[0] === boom));
  server.serving = 1;
  const got = page.room.token();
  await clock.pass(5);
  assert.ok(await got);
  stop();
  const before = errors.mock.callCount();
  await clock.pass(60);
  assert.equal(errors.mock.callCount(), before);
});

// --- further cases

test("a room without /status is polled for it again after five minutes", async () => {
  let missing = true;
  server.fault = (path) => (path === "/status" && missing ? [404, {}] : null);
  const page = await joined(5);
  assert.equal(page.state.rate, undefined);
  missing = false;
  server.rate = 60;
  await clock.pass(330);
  assert.equal(page.state.rate, 60);
});

test("a status with a lower version is older, whatever its time", async () => {
  const page = await joined(5);
  const answers = [statusResponse({ serving_counter: 3, version: 9 }), statusResponse({ serving_counter: 1, version: 8 })];
  server.fault = (path) => (path === "/status" ? (answers.shift() ?? statusResponse({ serving_counter: 3, version: 9 })) : null);
  page.room.retry();
  await clock.pass(0.1);
  assert.equal(page.state.ahead, 3);
  const from = page.states.length;
  page.room.retry();
  await clock.pass(20);
  assert.equal(answers.length, 0);
  assert.ok(page.states.slice(from).every(({ ahead }) => ahead === 3));
});

test("the late number of a second position is read soon, not at the next poll", async () => {
  let requests = 0;
  let first = null;
  server.fault = (path, body, url) => {
    if (path === JOIN) return (requests += 1) === 1 ? { after: 50 } : null;
    first = first ?? [...server.positions.keys()][0];
    return path === "/queue_num" && clock.now < 1_800_000_000_000 + 70_000 && url.includes(first) ? [202, { error: "not yet" }] : null;
  };
  server.pollAfter = 120;
  server.old = true;
  server.queueCounter = 100_000;
  const page = open();
  page.room.join();
  await clock.pass(60);
  assert.equal(page.state.number, 100_002);
  await clock.pass(25);
  assert.equal(page.state.number, 100_001);
});

test("a position with a token stays when a lower number arrives", async () => {
  let requests = 0;
  server.fault = (path) => (path === JOIN && (requests += 1) === 1 ? { after: 55 } : null);
  const page = open();
  page.room.join();
  await clock.pass(45);
  assert.equal(page.state.number, 2);
  server.serving = 2;
  const got = page.room.token();
  await clock.pass(3);
  assert.ok(await got);
  await clock.pass(60);
  assert.deepEqual([page.state.phase, page.state.number, page.state.taken], ["turn", 2, true]);
  assert.equal(stored().others[0].number, 1);
});

test("the pause of a route ends with its next response", async () => {
  const page = await joined(5);
  server.fault = (path) => (path === "/status" ? busy(10) : null);
  page.room.retry();
  await clock.pass(5);
  const pauses = () => JSON.parse(profile.stored.get(`${KEY}:pauses`) ?? "{}");
  assert.equal(pauses()["/status"].status, 429);
  server.fault = () => null;
  await clock.pass(20);
  assert.deepEqual(pauses(), {});
});

test("after the device's clock went back, a reload waits no longer than Retry-After", async () => {
  const page = await joined(5);
  server.fault = (path) => (path === "/status" ? busy(60) : null);
  page.room.retry();
  await clock.pass(1);
  page.stop();
  clock.skew = -86_400_000;
  server.fault = () => null;
  const again = open();
  await clock.pass(70);
  assert.deepEqual([again.state.phase, again.state.trouble], ["waiting", null]);
});

test("failed joins older than an hour do not count", async () => {
  server.fault = (path) => (path === JOIN ? "hang" : null);
  const page = open();
  const failed = page.room.join().catch(() => "failed");
  await clock.pass(1800);
  assert.equal(await failed, "failed");
  page.stop();
  await clock.pass(7200);
  let requests = 0;
  server.fault = (path) => (path === JOIN && (requests += 1) === 1 ? "hang" : null);
  const again = open();
  again.room.join();
  await clock.pass(60);
  assert.equal(again.state.phase, "waiting");
});

test("a join of an offline device is sent as soon as there is a network", async () => {
  const page = open();
  server.fault = () => "down";
  page.browser.isOnline = false;
  page.room.join();
  await clock.pass(0.5);
  assert.equal(page.state.trouble.kind, "offline");
  server.fault = () => null;
  page.browser.isOnline = true;
  page.browser.fire("online");
  await clock.pass(2);
  assert.equal(page.state.phase, "waiting");
});

test("a page whose device slept checks its position", async () => {
  const page = await joined(5);
  clock.slept += 3_600_000;
  server.reset();
  server.queueCounter = 5000; // the new queue is longer than the old one was
  await clock.pass(20);
  assert.deepEqual([page.state.phase, page.state.reason], ["over", "reset"]);
});

test("a room that is busy at the first call does not count as one without /status", async () => {
  server.fault = (path) => (path === "/status" ? busy(30) : null);
  open();
  await clock.pass(20);
  assert.equal(server.count("/serving_num"), 0);
});

test("a reload without a network also shows a turn", async () => {
  const first = await joined(0);
  server.serving = 1;
  await clock.pass(10);
  assert.equal(first.state.phase, "turn");
  first.stop();
  server.fault = () => "down";
  const page = open();
  await clock.pass(5);
  assert.deepEqual([page.state.phase, page.state.number, page.state.trouble.kind], ["turn", 1, "unreachable"]);
});

test("a small move back by an operator is shown", async () => {
  const page = await joined(50);
  server.serving = 40;
  server.rate = 1;
  await clock.pass(20);
  server.serving = 38;
  await clock.pass(12);
  assert.equal(page.state.ahead, 13);
});

test("a number that the room no longer finds is not read at every poll", async () => {
  const page = await joined(5);
  server.withoutNumber = true;
  page.browser.fire("pageshow", { persisted: true });
  const before = server.count("/queue_num");
  await clock.pass(120);
  assert.equal(page.state.number, 6);
  assert.ok(server.count("/queue_num") - before <= 2);
});

test("a lost join is detected after a day, whatever the number of reloads", async () => {
  server.withoutNumber = true;
  let page = open();
  page.room.join();
  for (let hour = 0; hour < 25; hour += 1) {
    await clock.pass(3600);
    page.stop();
    page = open();
  }
  await clock.pass(60);
  assert.deepEqual([page.state.phase, page.state.reason], ["over", "reset"]);
});

test("an ended session is over although a slow response brought a second position", async () => {
  let requests = 0;
  server.fault = (path) => (path === JOIN && (requests += 1) === 1 ? { after: 50 } : null);
  const page = open();
  page.room.join();
  await clock.pass(70);
  assert.equal(stored().others.length, 1);
  server.serving = 1;
  server.fault = (path) => (path === "/generate_token" ? server.ended("session_ended") : null);
  page.room.token();
  await clock.pass(5);
  assert.deepEqual([page.state.phase, page.state.reason], ["over", "ended"]);
});
