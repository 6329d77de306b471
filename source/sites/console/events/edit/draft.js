// SPDX-License-Identifier: Apache-2.0
/**
 * The document that an operator edits, as immutable steps. `texts` has the input of each field,
 * `base` the document at the beginning, `version` its version (null: the event does not exist yet).
 */

import { at, changesOf, compared, merged, withValue } from './changes.js';
import { fieldNamed } from './fields.js';
import { textOf, valueOf } from './values.js';

const ADDED = ['event_id', 'version', 'phase', 'message', 'serverTime']; // members that a response adds
const EVENT_ID = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;
const WRONG_ID = 'Enter an event ID: 1 to 64 letters, digits, _, . or -, of which the first is a letter or a digit.';

/** Return the document of a response. */
export function documentOf(response) {
  return Object.fromEntries(Object.entries(response).filter(([name]) => !ADDED.includes(name)));
}

/** Begin to edit a document; without `version`, a new event. */
export function beginDraft(fields, { eventId = '', document, version = null }) {
  const texts = textsOf(fields, document);
  return { step: 'form', eventId, base: document, version, texts, first: { eventId, texts }, errors: {}, rows: [], theirs: null };
}

/** Take the input of a field; the path `event_id` is the id of a new event. */
export function typed(draft, path, text) {
  const errors = { ...draft.errors };
  delete errors[path];
  if (path === 'event_id') return { ...draft, eventId: text, errors };
  return { ...draft, texts: { ...draft.texts, [path]: text }, errors };
}

/** Return whether the operator has input that is not saved. */
export function isChanged({ texts, first, eventId, step }) {
  return step === 'conflict' || eventId !== first.eventId || Object.keys(texts).some((path) => texts[path] !== first.texts[path]);
}

/** Check the input: the draft with `document` and `changes` for the review, or with errors. */
export function reviewed(draft, fields) {
  const errors = {};
  let document = draft.base;
  if (draft.version === null && !EVENT_ID.test(draft.eventId.trim())) errors.event_id = WRONG_ID;
  for (const field of fields) {
    if (draft.texts[field.path] === textOf(field, at(draft.base, field.path))) continue; // as received
    const { value, wrong } = valueOf(field, draft.texts[field.path]);
    if (wrong) errors[field.path] = wrong;
    else document = withValue(document, field.path, value);
  }
  if (Object.keys(errors).length) return { ...draft, step: 'form', errors };
  const changes = changesOf(fields, draft.base, document);
  return { ...draft, step: 'review', errors, document, changes, eventId: draft.eventId.trim() };
}

/** Return to the form. */
export function toForm(draft) {
  return { ...draft, step: 'form' };
}

/** Take the refusal of the API (status 400): the sentence is shown at the field that it names. */
export function refused(draft, fields, sentence) {
  const field = fieldNamed(fields, sentence);
  return { ...draft, step: 'form', errors: field ? { [field.path]: sentence } : { '': sentence } };
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
