// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import test from 'node:test';
import { externalMoveText } from '../admission/admit.js';
import { ExternalMoves } from '../admission/external-moves.js';

const at = (serving, generation = 1) => ({ serving, generation });

test('an external move is detected with the next metrics', () => {
  const moves = new ExternalMoves();
  assert.equal(moves.observe(at(40), 1), false); // the first metrics
  assert.equal(moves.observe(at(40), 2), false);
  assert.equal(moves.observe(at(60), 3), true);
  assert.deepEqual(moves.last, { from: 40, to: 60, at: 3 });
  assert.equal(moves.observe(at(60), 4), false);
  assert.match(externalMoveText(moves.last), /^Moved from 40 to 60 by an inlet or another operator/);
});

test('an own move is not external, but a move in between is', () => {
  const moves = new ExternalMoves();
  moves.observe(at(40), 1);
  moves.recordOwn(10, 50, 2);
  assert.equal(moves.observe(at(50), 3), false);
  assert.equal(moves.last, null);
  moves.recordOwn(10, 67, 4); // another operator admitted 7 in the meantime
  assert.deepEqual(moves.last, { from: 60, to: 67, at: 4 });
  moves.recordOwn(-100, 0, 5);
  assert.equal(moves.last.at, 4);
});

test('a reset is not a move', () => {
  const moves = new ExternalMoves();
  moves.observe(at(40), 1);
  assert.equal(moves.observe(at(0, 2), 2), false);
  assert.equal(moves.last, null);
  assert.equal(externalMoveText(null), '');
});
