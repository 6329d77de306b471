// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { extras } from "../extras.js";
import { storage } from "../storage.js";

const refuse = () => {
  throw new Error("refused");
};

/** Use every extra of `browser` once. */
async function everything(browser) {
  const more = extras(browser);
  more.unlock();
  more.stayAwake(true);
  more.stayAwake(false);
  const found = {
    kept: storage(browser).kept("a"),
    keptInTab: storage(browser).kept("a", "sessionStorage"),
    keep: storage(browser).keep("a", "1"),
    forgot: storage(browser).keep("a", null),
    permission: more.permission(),
    chime: more.chime(),
    asked: await more.ask(),
    notified: more.notify("title", "body", "tag"),
    vibrated: more.vibrate(),
    copied: await more.copy("1-ABCD", {}),
  };
  await new Promise((done) => setImmediate(done)); // a rejection that nobody handles fails the test
  return found;
}

const NOTHING = {
  kept: null, keptInTab: null, keep: false, forgot: false, permission: "none", chime: false,
  asked: "none", notified: false, vibrated: false, copied: false,
};

test("missing features affect nothing else", async () => {
  assert.deepEqual(await everything({}), NOTHING);
  assert.equal(extras({}).canSound(), false);
});

test("features that throw on access affect nothing else", async () => {
  const browser = new Proxy({}, { get: refuse });
  assert.deepEqual(await everything(browser), NOTHING);
  assert.equal(extras(browser).canSound(), false);
});

test("features that throw when used affect nothing else", async () => {
  const storage = { getItem: refuse, setItem: refuse, removeItem: refuse };
  const Notification = Object.assign(refuse, { permission: "granted", requestPermission: refuse });
  const found = await everything({
    localStorage: storage, sessionStorage: storage, Notification, AudioContext: refuse,
    navigator: { vibrate: refuse, wakeLock: { request: refuse }, clipboard: { writeText: refuse } },
    getSelection: refuse, document: { execCommand: refuse },
  });
  assert.deepEqual(found, { ...NOTHING, permission: "granted", asked: "granted" });
});

test("features whose promises reject affect nothing else", async () => {
  const later = () => Promise.reject(new Error("refused"));
  class AudioContext {
    state = "suspended";
    resume = later;
  }
  class Notification {
    static permission = "denied";
    static requestPermission = later;
  }
  const found = await everything({
    Notification, AudioContext,
    navigator: { vibrate: () => false, wakeLock: { request: later }, clipboard: { writeText: later } },
    getSelection: () => ({ selectAllChildren() {} }), document: { execCommand: () => true },
  });
  assert.deepEqual(found, { ...NOTHING, permission: "denied", asked: "denied", copied: true });
});

test("a resume that never settles blocks nothing", () => {
  const started = [];
  class AudioContext {
    state = "suspended";
    currentTime = 0;
    resume = () => new Promise(() => {});
    createOscillator = () => ({ frequency: {}, connect() {}, start: (at) => started.push(at), stop() {} });
    createGain = () => ({ gain: { setValueAtTime() {}, exponentialRampToValueAtTime() {} }, connect() {} });
  }
  assert.equal(extras({ webkitAudioContext: AudioContext }).chime(), true);
  assert.equal(started.length, 3);
});

test("the permission is requested in the form of Safari 14 and of other browsers", async () => {
  const old = { permission: "default", requestPermission: (done) => void setImmediate(done, "granted") };
  assert.equal(await extras({ Notification: old }).ask(), "granted");
  const other = { permission: "default", requestPermission: async () => "denied" };
  assert.equal(await extras({ Notification: other }).ask(), "denied");
});

test("the wake lock is released", async () => {
  let held = 0;
  const request = async () => {
    held += 1;
    return { release: async () => void (held -= 1) };
  };
  const more = extras({ navigator: { wakeLock: { request } } });
  more.stayAwake(true);
  more.stayAwake(true); // seen again
  more.stayAwake(false);
  for (let turns = 0; turns < 9; turns += 1) await new Promise((done) => setImmediate(done));
  assert.equal(held, 0);
});

test("a stored text is read again", () => {
  const stored = new Map();
  const localStorage = {
    getItem: (key) => stored.get(key) ?? null,
    setItem: (key, text) => stored.set(key, text),
    removeItem: (key) => stored.delete(key),
  };
  const more = storage({ localStorage });
  assert.equal(more.keep("a", "on"), true);
  assert.equal(more.kept("a"), "on");
  assert.equal(more.keep("a", null), true);
  assert.equal(more.kept("a"), null);
});
