// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import test from 'node:test';
import { STEP, dayPoints } from '../live/day-points.js';
import { columns } from '../live/history.js';

const point = (at, more = {}) => ({
  at, joined: 50, admitted: 20, waiting: 3, active: 4, wait_p50: 90, wait_p95: null, ...more,
});

test('counts become rates per minute, waits become minutes', () => {
  const [first] = dayPoints([point(600)], 600 + STEP);
  assert.deepEqual([first.joinRate, first.admissionRate, first.median, first.long], [10, 4, 1.5, null]);
});

test('a missing point interrupts the line', () => {
  const points = dayPoints([point(0), point(STEP), point(3 * STEP)], 4 * STEP);
  assert.deepEqual(points.map((one) => one.gap), [false, false, true]);
  assert.deepEqual(columns(points, ['waiting'])[1], [3, 3, null, 3]);
});

test('a point whose time is not over has no rates', () => {
  const [, last] = dayPoints([point(0), point(STEP)], 2 * STEP - 1);
  assert.deepEqual([last.joinRate, last.admissionRate, last.waiting], [null, null, 3]);
});
