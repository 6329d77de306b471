// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import test from 'node:test';
import { FINE, History, KEPT, columns, sampled } from '../history.js';

const figures = (queue, called, generation = 1) => ({ queue, called, generation, waiting: queue, active: 0 });

test('the first answer has no rate, the second has', () => {
  const history = new History();
  assert.equal(history.add(1000, figures(10, 0)).joinRate, null);
  const second = history.add(1005, figures(15, 1));
  assert.equal(second.joinRate, 60);
  assert.equal(second.admissionRate, 12);
});

test('a rate is taken over the last minute, not over all that was seen', () => {
  const history = new History();
  for (let i = 0; i <= 60; i += 1) history.add(1000 + i * 5, figures(i < 40 ? i * 100 : 4000, 0));
  assert.equal(history.last.joinRate, 0);
  assert.equal(history.points[13].joinRate, 1200);
});

test('a move back lowers no rate, and being called again counts', () => {
  const history = new History();
  [[0, 100], [10, 50], [20, 100]].forEach(([after, called]) => history.add(1000 + after, figures(200, called)));
  assert.equal(history.last.admissionRate, 150);
});

test('after a pause the rate is the average of the pause', () => {
  const history = new History();
  history.add(1000, figures(0, 0));
  const back = history.add(1600, figures(100, 50));
  assert.equal(back.joinRate, 10);
  assert.equal(back.gap, true);
});

test('no rate reaches across a reset, and the line is broken there', () => {
  const history = new History();
  history.add(1000, figures(500, 400));
  const anew = history.add(1005, figures(0, 0, 2));
  assert.deepEqual([anew.joinRate, anew.admissionRate, anew.gap], [null, null, true]);
  assert.equal(history.add(1010, figures(5, 0, 2)).joinRate, 60);
});

test('a clock that was put back leaves no rate that is infinite or negative', () => {
  const history = new History();
  history.add(1000, figures(0, 0));
  history.add(1005, figures(5, 0));
  const later = history.add(1002, figures(8, 0));
  assert.equal(later.joinRate, 240);
  assert.equal(history.points.length, 2);
});

test('memory is bounded: an hour whole, then one answer a minute, then nothing', () => {
  const history = new History();
  const last = KEPT + 7200;
  for (let at = 0; at <= last; at += 5) history.add(at, figures(at, at));
  const { points } = history;
  assert.ok(points.length <= FINE / 5 + (KEPT - FINE) / 60 + 2, `${points.length}`);
  assert.ok(points[0].at >= last - KEPT);
  assert.equal(points.filter((point) => point.at >= last - FINE).length, FINE / 5 + 1);
});

test('a gap outlives the thinning', () => {
  const history = new History();
  for (let at = 0; at <= 3 * FINE; at += 5) {
    if (at < 1200 || at > 1500) history.add(at, figures(at, at));
  }
  assert.equal(history.points.filter((point) => point.gap).length, 1);
});

test('a chart gets an empty place where the line is broken', () => {
  const history = new History();
  history.add(1000, figures(1, 0));
  history.add(1005, figures(2, 0));
  history.add(1100, figures(9, 0));
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

test('admissions are as the room measures them, from the first answer on', () => {
  const history = new History();
  assert.equal(history.add(1000, { ...figures(10, 0), serverRate: 60 }).admissionRate, 60);
  assert.equal(history.add(1005, { ...figures(10, 0), serverRate: 60 }).admissionRate, 60);
  assert.equal(history.add(1010, { ...figures(10, 1), serverRate: null }).admissionRate, 6);
});
