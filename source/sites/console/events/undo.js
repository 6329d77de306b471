// SPDX-License-Identifier: Apache-2.0
/** What can be undone for a minute after an action or an edit, and what an undo does not restore. */

import { PHASES } from './events.js';

export const UNDO_SECONDS = 60;

const AGAIN = {
  pause: ['resume', 'Visitors are admitted again. Those who joined meanwhile are in the queue.'],
  resume: ['pause', 'No one is admitted from now on. Turns that began meanwhile continue.'],
  drain: ['open', 'Visitors can join again. Those who were refused meanwhile have to join again.'],
  close: ['open', 'Visitors can join and be admitted again; waiting positions are kept. Those who were refused meanwhile have to try again.'],
  pass_through: ['queue', 'New visitors wait in the queue again. Those who were admitted meanwhile stay admitted.'],
  queue: ['pass_through', 'Every visitor is admitted at once again, including those who wait now.'],
};
const BACK = {
  paused: ['pause', 'No one is admitted from now on. Turns that began meanwhile continue.'],
  draining: ['drain', 'No one can join from now on. Positions assigned meanwhile are kept.'],
  closed: ['close', 'No one can join or get a token from now on. Positions and tokens of the meantime are kept.'],
};

/**
 * Return how to undo an action: `{label, words, action}` or `{label, words, schedule}`, or null.
 * `before` and `after` are the documents before and after it.
 */
export function undoOf(action, before, after) {
  if (!before?.phase || before.phase === after.phase) return null;
  if (action === 'open') return undoOpen(before);
  const [reverse, words] = AGAIN[action] ?? [];
  if (!reverse) return null;
  if (reverse === 'open' && before.phase !== 'open') return null; // opening would not restore the phase
  return { label: `Undo: ${NAMES[reverse]}`, words, action: reverse };
}

/**
 * Describe what to do instead of an undo; empty if the phase did not change, or if there is an undo.
 * `before` and `after` are the documents before and after the action.
 */
export function noUndoText(action, before, after) {
  if (!before?.phase || before.phase === after.phase || undoOf(action, before, after) !== null) return '';
  const again = AFTER_OPEN[before.phase];
  if (!again) return 'There is no undo: Open opens the event at once.';
  return `There is no undo. To return to “${PHASES[before.phase][0]}”, use ${after.phase === 'open' ? '' : 'Open and then '}${again}.`;
}

/** Describe the undo of an edit, to the version that was edited. */
export function undoEditOf(before) {
  return {
    label: `Undo: restore version ${before.version}`,
    words: 'The values from before the edit become a new version. What visitors did meanwhile is not undone.',
    document: before,
  };
}

function undoOpen(before) {
  if (before.phase in BACK) {
    const [action, words] = BACK[before.phase];
    return { label: `Undo: ${NAMES[action]}`, words, action };
  }
  if (!['scheduled', 'pre_queue'].includes(before.phase)) return null;
  return {
    label: 'Undo: restore the schedule',
    words: 'The scheduled opening applies again. Positions and tokens of the meantime are kept.',
    schedule: before.schedule,
  };
}

const AFTER_OPEN = { paused: 'Pause', draining: 'Drain', pass_through: 'Pass through' };
const NAMES = { open: 'open again', pause: 'pause again', resume: 'resume', drain: 'drain again', close: 'close again', queue: 'queue again', pass_through: 'pass through again' };
