// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import test from 'node:test';
import { isNewer, minutesToEmpty, previewMove, readMetrics } from '../live/metrics.js';
import { staleText } from '../live/metrics-view.js';
import { count } from '../page/format.js';

const QUIET = {
  serving_counter: 0, queue_counter: 0, waiting_num: 0, active_tokens: 0, total_tokens: 0,
  positions_expired: 0, completed_sessions: 0, abandoned_sessions: 0, holes: 0, generation: 1,
  message: '',
};
const metrics = (changes) => readMetrics({ ...QUIET, ...changes });

test('open turns are served positions without a token that are neither expired nor unused', () => {
  const seen = metrics({
    serving_counter: 50, queue_counter: 80, total_tokens: 30, positions_expired: 5, holes: 2, waiting_num: 43,
  });
  assert.equal(seen.openTurns, 13);
  assert.equal(seen.inQueue, 30);
  assert.equal(seen.ahead, 0);
});

test('a serving position beyond the queue adds no open turns', () => {
  const seen = metrics({ serving_counter: 500, queue_counter: 80, total_tokens: 30, waiting_num: 50 });
  assert.equal(seen.openTurns, 50);
  assert.equal(seen.inQueue, 0);
  assert.equal(seen.ahead, 420);
});

test('open turns are never negative after a move back', () => {
  const seen = metrics({ serving_counter: 10, queue_counter: 80, total_tokens: 30, waiting_num: 50 });
  assert.equal(seen.openTurns, 0);
  assert.equal(seen.inQueue, 50);
});

test('outdated metrics are named, with the metrics that depend on them', () => {
  const late = { stale: ['holes', 'positions_expired', 'waiting_num'], sweep_age: 240, reconciliation_age: null, admission_age: 3 };
  assert.deepEqual(metrics(late).stale, [], 'nothing is outdated without positions');
  const seen = metrics({ ...late, queue_counter: 1 });
  assert.deepEqual([...seen.stale].sort(), ['openTurns', 'positionsExpired', 'waiting']);
  assert.equal(seen.sweepAge, 240);
  assert.equal(seen.reconciliationAge, null);
  const words = staleText(seen);
  assert.match(words, /^Not up to date: Waiting, Open turns, Expired turns\. Last sweep: 4 min ago\./);
  assert.match(words, /Last reconciliation: unknown\./);
});

test('without ages from the API no metric is marked', () => {
  const seen = metrics({});
  assert.deepEqual(seen.stale, []);
  assert.equal(staleText(seen), '');
});

test('expired tokens are those neither active nor ended', () => {
  const seen = metrics({ total_tokens: 100, active_tokens: 40, completed_sessions: 25, abandoned_sessions: 5 });
  assert.equal(seen.expiredTokens, 30);
});

test('active visitors are sessions where an event is behind a gate', () => {
  const seen = metrics({ total_tokens: 100, active_tokens: 40, active: 7 });
  assert.equal(seen.active, 7);
  assert.equal(seen.expiredTokens, 60);
  assert.equal(metrics({ active_tokens: 40 }).active, 40);
});

test('an invalid response is rejected and not shown as zeros', () => {
  for (const response of [null, {}, [], { ...QUIET, holes: '3' }, { ...QUIET, queue_counter: undefined }]) {
    assert.throws(() => readMetrics(response), TypeError);
  }
});

test('a preview has the positions served and those ahead of the queue', () => {
  const seen = metrics({ serving_counter: 70, queue_counter: 80, waiting_num: 20 });
  assert.deepEqual(previewMove(seen, 5), { from: 70, to: 75, served: 5, ahead: 0 });
  assert.deepEqual(previewMove(seen, 25), { from: 70, to: 95, served: 10, ahead: 15 });
  assert.deepEqual(previewMove(seen, -100), { from: 70, to: 0, served: -70, ahead: 0 });
});

test('the time until the last visitor is served requires a moving queue', () => {
  const seen = metrics({ serving_counter: 20, queue_counter: 80, total_tokens: 20, waiting_num: 60 });
  assert.equal(minutesToEmpty(seen, 30), 2);
  assert.equal(minutesToEmpty(seen, 0), null);
  assert.equal(minutesToEmpty(seen, null), null);
  assert.equal(minutesToEmpty(metrics({}), null), 0);
});

test('an older response, or one without a time, is not newer than the one shown', () => {
  const reported = (at, generation = 1) => ({ serverTime: at === null ? null : at * 1000, generation });
  assert.equal(isNewer(reported(null), null), true);
  assert.equal(isNewer(reported(null), reported(null)), true);
  assert.equal(isNewer(reported(5), reported(null)), true);
  assert.equal(isNewer(reported(5), reported(5)), true);
  assert.equal(isNewer(reported(6), reported(5)), true);
  assert.equal(isNewer(reported(4), reported(5)), true); // the clocks of two servers, in whole seconds
  assert.equal(isNewer(reported(3), reported(5)), false);
  assert.equal(isNewer(reported(null), reported(5)), false);
  assert.equal(isNewer(reported(9, 1), reported(5, 2)), false); // of the queue before a reset
  assert.equal(isNewer(reported(null, 3), reported(5, 2)), true);
});

test('the admission rate is the room’s own if it returns one', () => {
  assert.equal(metrics({ admission_rate_per_minute: 60 }).serverRate, 60);
  assert.equal(metrics({}).serverRate, null);
  assert.equal(metrics({ admission_rate_per_minute: -1 }).serverRate, null);
});

test('a number that is not known is a dash, and 0 is a number', () => {
  assert.deepEqual([count(null), count(undefined), count(0), count(1204)], ['–', '–', '0', '1,204']);
});
