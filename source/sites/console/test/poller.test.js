// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import test from 'node:test';
import { INTERVAL, Poller, MAX_INTERVAL, freshness } from '../live/poller.js';

/** Timers on a clock that a test moves. */
class Timers {
  now = 0;
  planned = [];

  setTimeout(call, after) {
    this.planned.push({ call, at: this.now + after });
    return this.planned.at(-1);
  }

  clearTimeout(timer) {
    this.planned = this.planned.filter((one) => one !== timer);
  }

  async pass(seconds) {
    const end = this.now + seconds * 1000;
    for (;;) {
      const [next] = this.planned.sort((a, b) => a.at - b.at);
      if (!next || next.at > end) break;
      this.clearTimeout(next);
      this.now = next.at;
      next.call();
      await settled();
    }
    this.now = end;
  }
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

function poller(respond) {
  const timers = new Timers();
  const reported = { responses: [], errors: [], requests: 0 };
  const made = new Poller({
    request: () => {
      reported.requests += 1;
      return respond(reported.requests);
    },
    received: (response) => reported.responses.push(response),
    failed: (error) => reported.errors.push(error),
    timers,
    clock: () => timers.now,
  });
  return { made, timers, reported };
}

test('it polls at a fixed interval with one call each', async () => {
  const { made, timers, reported } = poller(async (times) => times);
  made.start();
  await timers.pass(60);
  assert.equal(reported.requests, 60 / INTERVAL);
});

test('it slows down while the API fails, never stops, and recovers at once', async () => {
  let down = true;
  const { made, timers, reported } = poller(async () => {
    if (down) throw new Error('down');
    return 'up';
  });
  made.start();
  await timers.pass(600);
  assert.ok(reported.errors.length >= 600 / MAX_INTERVAL && reported.errors.length <= 600 / MAX_INTERVAL + 4, `${reported.errors.length}`);
  assert.ok(made.nextIn > 0 && made.nextIn <= MAX_INTERVAL);
  down = false;
  await timers.pass(MAX_INTERVAL);
  assert.equal(made.failures, 0);
  const before = reported.requests;
  await timers.pass(INTERVAL);
  assert.equal(reported.requests, before + 1);
});

test('it respects Retry-After, up to its maximum interval', async () => {
  const { made, timers, reported } = poller(async () => {
    throw Object.assign(new Error('busy'), { retryAfter: 20 });
  });
  made.start();
  await timers.pass(INTERVAL + 19);
  assert.equal(reported.requests, 1);
  await timers.pass(1);
  assert.equal(reported.requests, 2);
});

test('a hidden page does not poll, and polls at once when visible again', async () => {
  const { made, timers, reported } = poller(async () => 1);
  made.start();
  await timers.pass(INTERVAL);
  made.hide(true);
  await timers.pass(600);
  assert.equal(reported.requests, 1);
  made.hide(false);
  await settled();
  assert.equal(reported.requests, 2);
});

test('a paused page polls only on request', async () => {
  const { made, timers, reported } = poller(async () => 1);
  made.start();
  made.pause(true);
  await timers.pass(60);
  assert.equal(reported.requests, 0);
  made.refresh();
  await settled();
  await timers.pass(60);
  assert.equal(reported.requests, 1);
  made.hide(true);
  made.hide(false);
  await timers.pass(60);
  assert.equal(reported.requests, 1);
  made.pause(false);
  await settled();
  assert.equal(reported.requests, 2);
});

test('a refresh during a pending call polls once more after it', async () => {
  const waiting = [];
  const { made, reported } = poller(() => new Promise((resolve) => waiting.push(resolve)));
  made.start();
  made.refresh();
  made.refresh();
  made.refresh();
  assert.equal(reported.requests, 1);
  waiting[0]('old');
  await settled();
  assert.equal(reported.requests, 2);
  waiting[1]('new');
  await settled();
  assert.equal(reported.requests, 2);
  assert.deepEqual(reported.responses, ['old', 'new']);
});

test('a response after the stop is discarded, and no poll follows', async () => {
  let response;
  const { made, timers, reported } = poller(() => new Promise((resolve) => { response = resolve; }));
  made.start();
  made.refresh();
  made.stop();
  response('late');
  await settled();
  await timers.pass(60);
  assert.deepEqual([reported.responses, reported.requests], [[], 1]);
});

test('metrics are stale after a failed call or a long time without one', () => {
  const at = { now: 100_000, failing: false, paused: false };
  assert.deepEqual(freshness({ ...at, receivedAt: 98_000 }), { state: 'live', age: 2 });
  assert.deepEqual(freshness({ ...at, receivedAt: 98_000, failing: true }), { state: 'stale', age: 2 });
  assert.equal(freshness({ ...at, receivedAt: 100_000 - 16_000 }).state, 'stale');
  assert.equal(freshness({ ...at, receivedAt: 100_000 - 16_000, paused: true }).state, 'paused');
  assert.equal(freshness({ ...at, receivedAt: 0, pending: true }).state, 'live');
  assert.equal(freshness({ ...at, receivedAt: 0, pending: true, failing: true }).state, 'stale');
  assert.equal(freshness({ ...at, receivedAt: 101_000 }).age, 0);
});

test('after a change, the response to an earlier call is discarded', async () => {
  const waiting = [];
  const { made, reported } = poller(() => new Promise((resolve) => waiting.push(resolve)));
  made.start();
  made.refresh();
  made.outdate();
  waiting[0]('before');
  await settled();
  assert.deepEqual([reported.requests, reported.responses], [2, []]);
  waiting[1]('after');
  await settled();
  assert.deepEqual([reported.requests, reported.responses], [2, ['after']]);
  made.outdate(); // none is under way: the next one is shown
  waiting[2]('next');
  await settled();
  assert.deepEqual(reported.responses, ['after', 'next']);
});

test('when the device is online again, the next attempt is at once, unless paused or hidden', async () => {
  const { made, timers, reported } = poller(() => { throw new Error('down'); });
  made.start();
  await timers.pass(40);
  const before = reported.requests;
  made.retry();
  await settled();
  assert.equal(reported.requests, before + 1);
  made.pause(true);
  made.retry();
  await settled();
  assert.equal(reported.requests, before + 1);
});
