// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import test from 'node:test';
import { elsewhereWords } from '../admit.js';
import { Elsewhere } from '../external-moves.js';

const at = (serving, generation = 1) => ({ serving, generation });

test('a move that was not made here is seen with the next figures', () => {
  const moves = new Elsewhere();
  assert.equal(moves.seen(at(40), 1), false); // the first figures
  assert.equal(moves.seen(at(40), 2), false);
  assert.equal(moves.seen(at(60), 3), true);
  assert.deepEqual(moves.last, { from: 40, to: 60, at: 3 });
  assert.equal(moves.seen(at(60), 4), false);
  assert.match(elsewhereWords(moves.last), /^Moved from 40 to 60 by an inlet or another operator/);
});

test('a move that was made here is none of another, but one in between is', () => {
  const moves = new Elsewhere();
  moves.seen(at(40), 1);
  moves.moved(10, 50, 2);
  assert.equal(moves.seen(at(50), 3), false);
  assert.equal(moves.last, null);
  moves.moved(10, 67, 4); // another operator let in 7 meanwhile
  assert.deepEqual(moves.last, { from: 60, to: 67, at: 4 });
  moves.moved(-100, 0, 5);
  assert.equal(moves.last.at, 4);
});

test('a reset is no move', () => {
  const moves = new Elsewhere();
  moves.seen(at(40), 1);
  assert.equal(moves.seen(at(0, 2), 2), false);
  assert.equal(moves.last, null);
  assert.equal(elsewhereWords(null), '');
});
