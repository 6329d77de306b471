// SPDX-License-Identifier: Apache-2.0
/**
 * The document that an operator edits, as immutable steps. `texts` has the input of each field,
 * `base` the document at the beginning, `version` its version (null: the event does not exist yet).
 */

import { at, changesOf, compared, merged, withValue } from './changes.js';
import { problemsOf } from './checks.js';
import { fieldNamed, labelled, pathsOf } from './sentences.js';
import { textOf, valueOf } from './values.js';

const ADDED = ['event_id', 'version', 'phase', 'message', 'serverTime']; // members that a response adds
const EVENT_ID = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;
const TAKEN = 'An event with this ID exists already.';
const NO_ERRORS = { errors: {}, about: {} }; // sentences by path; the paths whose change removes a sentence
const WRONG_ID = 'Enter an event ID: 1 to 64 letters, digits, _, . or -, of which the first is a letter or a digit.';

/** Return the document of a response. */
export function documentOf(response) {
  return Object.fromEntries(Object.entries(response).filter(([name]) => !ADDED.includes(name)));
}

/** Begin to edit a document; without `version`, a new event. The review shows what differs from `origin`. */
export function beginDraft(fields, { eventId = '', document, version = null, origin = document }) {
  const texts = textsOf(fields, document);
  return {
    step: 'form', eventId, base: document, origin, version, texts, first: { eventId, texts }, ...NO_ERRORS, rows: [], theirs: null,
  };
}

/** Take the input of a field; the path `event_id` is the id of a new event. Errors about it vanish. */
export function typed(draft, path, text) {
  const errors = Object.fromEntries(Object.entries(draft.errors)
    .filter(([name]) => name !== '' && name !== path && !draft.about[name]?.includes(path)));
  if (path === 'event_id') return { ...draft, eventId: text, errors };
  return { ...draft, texts: { ...draft.texts, [path]: text }, errors };
}

/** Return whether the operator has input that is not saved. */
export function isChanged({ texts, first, eventId, step }) {
  return step === 'conflict' || eventId !== first.eventId || Object.keys(texts).some((path) => texts[path] !== first.texts[path]);
}

/**
 * Check the input: the draft with `document` and `changes` for the review, or with all errors.
 * `exists(eventId)` returns whether an event has this id, as far as the console knows.
 */
export function reviewed(draft, fields, exists = () => false) {
  const errors = {};
  const about = {};
  let document = draft.base;
  const eventId = draft.eventId.trim();
  if (draft.version === null && !EVENT_ID.test(eventId)) errors.event_id = WRONG_ID;
  else if (draft.version === null && exists(eventId)) errors.event_id = TAKEN;
  for (const field of fields) {
    if (draft.texts[field.path] === textOf(field, at(draft.base, field.path))) continue; // as received
    const { value, wrong } = valueOf(field, draft.texts[field.path]);
    if (wrong) errors[field.path] = wrong;
    else document = withValue(document, field.path, value);
  }
  for (const problem of problemsOf(fields, document)) {
    if (problem.about.some((path) => errors[path] && !about[path])) continue; // its value is not known
    errors[problem.path] ??= problem.sentence;
    about[problem.path] ??= problem.about;
  }
  if (Object.keys(errors).length) return { ...draft, step: 'form', errors, about };
  return { ...draft, step: 'review', ...NO_ERRORS, document, changes: changesOf(fields, draft.origin, document), eventId };
}

/** Return to the form. */
export function toForm(draft) {
  return { ...draft, step: 'form' };
}

/** Take the refusal of the API: its sentence is shown at the field that it names. */
export function refused(draft, fields, sentence) {
  const ofId = draft.version === null && sentence.startsWith('event_id ');
  const path = ofId ? 'event_id' : fieldNamed(fields, sentence)?.path ?? '';
  return { ...draft, step: 'form', errors: { [path]: ofId ? WRONG_ID : labelled(fields, sentence) }, about: { [path]: pathsOf(fields, sentence) } };
}

/** Take the refusal of an id that another event has. */
export function taken(draft) {
  return { ...draft, step: 'form', errors: { event_id: TAKEN }, about: {} };
}

/** Describe what must be corrected, with the first sentence; empty without errors. */
export function summaryOf({ errors }, fields) {
  const labels = [['event_id', 'New event ID'], ...fields.map(({ path, label }) => [path, label])].filter(([path]) => errors[path]);
  if (!labels.length) return errors[''] ? `This must be corrected: ${errors['']}` : '';
  const [[path, label]] = labels;
  return `${labels.length === 1 ? 'One field' : `${labels.length} fields`} must be corrected. ${label}: ${errors[path]}`;
}

/** Take the current document after a conflict of versions; equal documents are no conflict. */
export function conflicted(draft, fields, current) {
  const theirs = documentOf(current);
  const rows = compared(fields, draft.base, draft.document, theirs);
  return { ...draft, step: 'conflict', theirs: { document: theirs, version: current.version }, rows };
}

/** Go on with their document: `keep` is `all`, `free` (changes without a conflict) or `none`. */
export function resolved(draft, fields, keep) {
  const { document, version } = draft.theirs;
  const next = beginDraft(fields, { eventId: draft.eventId, document, version });
  if (keep === 'none') return next;
  const wanted = merged(draft.rows, document, { all: keep === 'all' });
  return reviewed({ ...next, texts: textsOf(fields, wanted) }, fields);
}

function textsOf(fields, document) {
  return Object.fromEntries(fields.map((field) => [field.path, textOf(field, at(document, field.path))]));
}
