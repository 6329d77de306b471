// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import test from 'node:test';
import { noUndoText, undoEditOf, undoOf } from '../events/undo.js';

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

test('an action without an undo says so, and how to return', () => {
  const words = (action, before, after) => noUndoText(action, event(before), event(after));
  assert.equal(words('drain', 'paused', 'draining'), 'There is no undo. To return to “Paused”, use Open and then Pause.');
  assert.equal(words('close', 'draining', 'closed'), 'There is no undo. To return to “Draining”, use Open and then Drain.');
  assert.equal(words('close', 'pass_through', 'closed'), 'There is no undo. To return to “Pass-through”, use Open and then Pass through.');
  assert.equal(words('open', 'pass_through', 'open'), 'There is no undo. To return to “Pass-through”, use Pass through.');
  assert.equal(words('close', 'scheduled', 'closed'), 'There is no undo: Open opens the event at once.');
  for (const [action, before, after] of [['pause', 'open', 'paused'], ['close', 'open', 'closed'], ['admit', 'open', 'open']]) {
    assert.equal(words(action, before, after), '');
  }
});
