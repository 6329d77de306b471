// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import test from 'node:test';
import { undoEditOf, undoOf } from '../events/undo.js';

const event = (phase, more = {}) => ({ event_id: 'a', version: 2, phase, schedule: { opens_at: 5 }, ...more });
const undo = (action, before, after) => undoOf(action, event(before), event(after));

test('an action is undone by its opposite, which restores the phase', () => {
  assert.equal(undo('pause', 'open', 'paused').action, 'resume');
  assert.equal(undo('resume', 'paused', 'open').action, 'pause');
  assert.equal(undo('drain', 'open', 'draining').action, 'open');
  assert.equal(undo('close', 'open', 'closed').action, 'open');
  assert.equal(undo('pass_through', 'open', 'pass_through').action, 'queue');
  assert.equal(undo('queue', 'pass_through', 'open').action, 'pass_through');
  assert.equal(undo('open', 'closed', 'open').action, 'close');
  assert.deepEqual(undo('open', 'scheduled', 'open').schedule, { opens_at: 5 });
  for (const made of [undo('pause', 'open', 'paused'), undo('close', 'open', 'closed')]) assert.match(made.words, /meanwhile/);
});

test('nothing is offered where the opposite would lead to another phase', () => {
  assert.equal(undo('drain', 'paused', 'draining'), null);
  assert.equal(undo('close', 'scheduled', 'closed'), null);
  assert.equal(undo('open', 'open', 'open'), null);
  assert.equal(undo('admit', 'open', 'open'), null);
});

test('an edit is undone by its previous document', () => {
  assert.equal(undoEditOf(event('open')).document.version, 2);
  assert.match(undoEditOf(event('open')).label, /version 2/);
});
