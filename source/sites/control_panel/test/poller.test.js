// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import test from 'node:test';
import { INTERVAL, Poller, SLOWEST, freshness } from '../poller.js';

/** Time that passes when told to. */
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

function poller(ask) {
  const timers = new Timers();
  const told = { answers: [], errors: [], asked: 0 };
  const made = new Poller({
    ask: () => {
      told.asked += 1;
      return ask(told.asked);
    },
    answered: (answer) => told.answers.push(answer),
    failed: (error) => told.errors.push(error),
    timers,
    clock: () => timers.now,
  });
  return { made, timers, told };
}

test('it asks at an even pace with one call each', async () => {
  const { made, timers, told } = poller(async (times) => times);
  made.start();
  await timers.pass(60);
  assert.equal(told.asked, 60 / INTERVAL);
});

test('it slows down while the API fails, never gives up, and recovers at once', async () => {
  let down = true;
  const { made, timers, told } = poller(async () => {
    if (down) throw new Error('down');
    return 'up';
  });
  made.start();
  await timers.pass(600);
  assert.ok(told.errors.length >= 600 / SLOWEST && told.errors.length <= 600 / SLOWEST + 4, `${told.errors.length}`);
  assert.ok(made.nextIn > 0 && made.nextIn <= SLOWEST);
  down = false;
  await timers.pass(SLOWEST);
  assert.equal(made.failures, 0);
  const before = told.asked;
  await timers.pass(INTERVAL);
  assert.equal(told.asked, before + 1);
});

test('it waits as long as the API asks for, up to its slowest', async () => {
  const { made, timers, told } = poller(async () => {
    throw Object.assign(new Error('busy'), { retryAfter: 20 });
  });
  made.start();
  await timers.pass(INTERVAL + 19);
  assert.equal(told.asked, 1);
  await timers.pass(1);
  assert.equal(told.asked, 2);
});

test('nobody looks, nobody asks; and at once again when the page comes back', async () => {
  const { made, timers, told } = poller(async () => 1);
  made.start();
  await timers.pass(INTERVAL);
  made.hide(true);
  await timers.pass(600);
  assert.equal(told.asked, 1);
  made.hide(false);
  await settled();
  assert.equal(told.asked, 2);
});

test('paused it asks only when told to', async () => {
  const { made, timers, told } = poller(async () => 1);
  made.start();
  made.pause(true);
  await timers.pass(60);
  assert.equal(told.asked, 0);
  made.refresh();
  await settled();
  await timers.pass(60);
  assert.equal(told.asked, 1);
  made.hide(true);
  made.hide(false);
  await timers.pass(60);
  assert.equal(told.asked, 1);
  made.pause(false);
  await settled();
  assert.equal(told.asked, 2);
});

test('told to refresh while a call is under way, it asks once more after it', async () => {
  const waiting = [];
  const { made, told } = poller(() => new Promise((resolve) => waiting.push(resolve)));
  made.start();
  made.refresh();
  made.refresh();
  made.refresh();
  assert.equal(told.asked, 1);
  waiting[0]('old');
  await settled();
  assert.equal(told.asked, 2);
  waiting[1]('new');
  await settled();
  assert.equal(told.asked, 2);
  assert.deepEqual(told.answers, ['old', 'new']);
});

test('an answer that comes after the end is dropped, and asks no more', async () => {
  let answer;
  const { made, timers, told } = poller(() => new Promise((resolve) => { answer = resolve; }));
  made.start();
  made.refresh();
  made.stop();
  answer('late');
  await settled();
  await timers.pass(60);
  assert.deepEqual([told.answers, told.asked], [[], 1]);
});

test('figures are stale when a call failed or none came for long', () => {
  const at = { now: 100_000, failing: false, paused: false };
  assert.deepEqual(freshness({ ...at, answeredAt: 98_000 }), { state: 'live', age: 2 });
  assert.deepEqual(freshness({ ...at, answeredAt: 98_000, failing: true }), { state: 'stale', age: 2 });
  assert.equal(freshness({ ...at, answeredAt: 100_000 - 16_000 }).state, 'stale');
  assert.equal(freshness({ ...at, answeredAt: 100_000 - 16_000, paused: true }).state, 'paused');
  assert.equal(freshness({ ...at, answeredAt: 0, asking: true }).state, 'live');
  assert.equal(freshness({ ...at, answeredAt: 0, asking: true, failing: true }).state, 'stale');
  assert.equal(freshness({ ...at, answeredAt: 101_000 }).age, 0);
});

test('after a change, no answer that was asked for before is shown', async () => {
  const waiting = [];
  const { made, told } = poller(() => new Promise((resolve) => waiting.push(resolve)));
  made.start();
  made.refresh();
  made.outdate();
  waiting[0]('before');
  await settled();
  assert.deepEqual([told.asked, told.answers], [2, []]);
  waiting[1]('after');
  await settled();
  assert.deepEqual([told.asked, told.answers], [2, ['after']]);
  made.outdate(); // none is under way: the next one is shown
  waiting[2]('next');
  await settled();
  assert.deepEqual(told.answers, ['after', 'next']);
});
