// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import test from 'node:test';
import { FULL_RESOLUTION, History, MAX_AGE, columns, sampled } from '../live/history.js';

const metrics = (queue, served, generation = 1) => ({ queue, served, generation, waiting: queue, active: 0 });

test('the first response has no rate, the second has one', () => {
  const history = new History();
  assert.equal(history.add(1000, metrics(10, 0)).joinRate, null);
  const second = history.add(1005, metrics(15, 1));
  assert.equal(second.joinRate, 60);
  assert.equal(second.admissionRate, 12);
});

test('a rate is computed over the last minute, not over the whole history', () => {
  const history = new History();
  for (let i = 0; i <= 60; i += 1) history.add(1000 + i * 5, metrics(i < 40 ? i * 100 : 4000, 0));
  assert.equal(history.last.joinRate, 0);
  assert.equal(history.points[13].joinRate, 1200);
});

test('a move back lowers no rate, and positions served again count', () => {
  const history = new History();
  [[0, 100], [10, 50], [20, 100]].forEach(([after, served]) => history.add(1000 + after, metrics(200, served)));
  assert.equal(history.last.admissionRate, 150);
});

test('after a pause the rate is the average of the pause', () => {
  const history = new History();
  history.add(1000, metrics(0, 0));
  const back = history.add(1600, metrics(100, 50));
  assert.equal(back.joinRate, 10);
  assert.equal(back.gap, true);
});

test('no rate is computed across a reset, and the chart line is interrupted there', () => {
  const history = new History();
  history.add(1000, metrics(500, 400));
  const anew = history.add(1005, metrics(0, 0, 2));
  assert.deepEqual([anew.joinRate, anew.admissionRate, anew.gap], [null, null, true]);
  assert.equal(history.add(1010, metrics(5, 0, 2)).joinRate, 60);
});

test('a clock that was set back gives no infinite or negative rate', () => {
  const history = new History();
  history.add(1000, metrics(0, 0));
  history.add(1005, metrics(5, 0));
  const later = history.add(1002, metrics(8, 0));
  assert.equal(later.joinRate, 240);
  assert.equal(history.points.length, 2);
});

test('memory is bounded: an hour in full, then one response per minute, then nothing', () => {
  const history = new History();
  const last = MAX_AGE + 7200;
  for (let at = 0; at <= last; at += 5) history.add(at, metrics(at, at));
  const { points } = history;
  assert.ok(points.length <= FULL_RESOLUTION / 5 + (MAX_AGE - FULL_RESOLUTION) / 60 + 2, `${points.length}`);
  assert.ok(points[0].at >= last - MAX_AGE);
  assert.equal(points.filter((point) => point.at >= last - FULL_RESOLUTION).length, FULL_RESOLUTION / 5 + 1);
});

test('a gap survives the thinning', () => {
  const history = new History();
  for (let at = 0; at <= 3 * FULL_RESOLUTION; at += 5) {
    if (at < 1200 || at > 1500) history.add(at, metrics(at, at));
  }
  assert.equal(history.points.filter((point) => point.gap).length, 1);
});

test('a chart gets a null where the line is interrupted', () => {
  const history = new History();
  history.add(1000, metrics(1, 0));
  history.add(1005, metrics(2, 0));
  history.add(1100, metrics(9, 0));
  const [times, queue] = columns(history.points, ['queue']);
  assert.deepEqual(queue, [1, 2, null, 9]);
  assert.deepEqual([...times].sort((a, b) => a - b), times);
});

test('a sample keeps the first and the latest', () => {
  const points = Array.from({ length: 100 }, (_, i) => i);
  const some = sampled(points, 13);
  assert.equal(some.length, 13);
  assert.deepEqual([some[0], some.at(-1)], [0, 99]);
  assert.deepEqual(sampled([1, 2], 13), [1, 2]);
});

test('the admission rate is the room’s own, from the first response on', () => {
  const history = new History();
  assert.equal(history.add(1000, { ...metrics(10, 0), serverRate: 60 }).admissionRate, 60);
  assert.equal(history.add(1005, { ...metrics(10, 0), serverRate: 60 }).admissionRate, 60);
  assert.equal(history.add(1010, { ...metrics(10, 1), serverRate: null }).admissionRate, 6);
});
