// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import test from 'node:test';
import { isNewer, minutesToEmpty, outlook, readFigures } from '../metrics.js';
import { staleWords } from '../metrics-view.js';

const QUIET = {
  serving_counter: 0, queue_counter: 0, waiting_num: 0, active_tokens: 0, total_tokens: 0,
  positions_expired: 0, completed_sessions: 0, abandoned_sessions: 0, holes: 0, generation: 1,
  message: '',
};
const figures = (changes) => readFigures({ ...QUIET, ...changes });

test('places open are those served that nobody took, let expire, or left empty', () => {
  const seen = figures({
    serving_counter: 50, queue_counter: 80, total_tokens: 30, positions_expired: 5, holes: 2, waiting_num: 43,
  });
  assert.equal(seen.placesOpen, 13);
  assert.equal(seen.inLine, 30);
  assert.equal(seen.ahead, 0);
});

test('a serving position beyond the queue opens no place that nobody holds', () => {
  const seen = figures({ serving_counter: 500, queue_counter: 80, total_tokens: 30, waiting_num: 50 });
  assert.equal(seen.placesOpen, 50);
  assert.equal(seen.inLine, 0);
  assert.equal(seen.ahead, 420);
});

test('places open are never negative after a move back', () => {
  const seen = figures({ serving_counter: 10, queue_counter: 80, total_tokens: 30, waiting_num: 50 });
  assert.equal(seen.placesOpen, 0);
  assert.equal(seen.inLine, 50);
});

test('figures that the API does not vouch for are named, with those that follow from them', () => {
  const seen = figures({ stale: ['holes', 'positions_expired', 'waiting_num'], sweep_age: 240, reconciliation_age: null, admission_age: 3 });
  assert.deepEqual([...seen.stale].sort(), ['placesOpen', 'positionsExpired', 'waiting']);
  assert.equal(seen.sweepAge, 240);
  assert.equal(seen.reconciliationAge, null);
  const words = staleWords(seen);
  assert.match(words, /^Not up to date: Waiting, Open turns, Expired turns\. Last sweep: 4 min ago\./);
  assert.match(words, /Last reconciliation: unknown\./);
});

test('an API that tells no ages marks nothing', () => {
  const seen = figures({});
  assert.deepEqual(seen.stale, []);
  assert.equal(staleWords(seen), '');
});

test('expired tokens are those neither active nor ended', () => {
  const seen = figures({ total_tokens: 100, active_tokens: 40, completed_sessions: 25, abandoned_sessions: 5 });
  assert.equal(seen.expiredTokens, 30);
});

test('an answer of something else is refused and not shown as zeros', () => {
  for (const answer of [null, {}, [], { ...QUIET, holes: '3' }, { ...QUIET, queue_counter: undefined }]) {
    assert.throws(() => readFigures(answer), TypeError);
  }
});

test('an outlook tells whose turn comes and what waits for who joins next', () => {
  const seen = figures({ serving_counter: 70, queue_counter: 80, waiting_num: 20 });
  assert.deepEqual(outlook(seen, 5), { from: 70, to: 75, called: 5, ahead: 0 });
  assert.deepEqual(outlook(seen, 25), { from: 70, to: 95, called: 10, ahead: 15 });
  assert.deepEqual(outlook(seen, -100), { from: 70, to: 0, called: -70, ahead: 0 });
});

test('the time until the last is called needs a line that moves', () => {
  const seen = figures({ serving_counter: 20, queue_counter: 80, total_tokens: 20, waiting_num: 60 });
  assert.equal(minutesToEmpty(seen, 30), 2);
  assert.equal(minutesToEmpty(seen, 0), null);
  assert.equal(minutesToEmpty(seen, null), null);
  assert.equal(minutesToEmpty(figures({}), null), 0);
});

test('an older answer, or one without a time, is not newer than what is shown', () => {
  const told = (at, generation = 1) => ({ toldAt: at === null ? null : at * 1000, generation });
  assert.equal(isNewer(told(null), null), true);
  assert.equal(isNewer(told(null), told(null)), true);
  assert.equal(isNewer(told(5), told(null)), true);
  assert.equal(isNewer(told(5), told(5)), true);
  assert.equal(isNewer(told(6), told(5)), true);
  assert.equal(isNewer(told(4), told(5)), true); // the clocks of two servers, in whole seconds
  assert.equal(isNewer(told(3), told(5)), false);
  assert.equal(isNewer(told(null), told(5)), false);
  assert.equal(isNewer(told(9, 1), told(5, 2)), false); // of the line before a reset
  assert.equal(isNewer(told(null, 3), told(5, 2)), true);
});

test('the rate of admissions is the room’s own where it tells one', () => {
  assert.equal(figures({ admission_rate_per_minute: 60 }).serverRate, 60);
  assert.equal(figures({}).serverRate, null);
  assert.equal(figures({ admission_rate_per_minute: -1 }).serverRate, null);
});
