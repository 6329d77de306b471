// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import test from 'node:test';
import schema from '../../../../docs/event.schema.json' with { type: 'json' };
import { withValue } from '../events/edit/changes.js';
import { contrast, problemsOf } from '../events/edit/checks.js';
import { beginDraft, refused, reviewed, summaryOf, taken, typed } from '../events/edit/draft.js';
import { defaultsOf, fieldsOf } from '../events/edit/fields.js';
import { labelled } from '../events/edit/sentences.js';

const FIELDS = fieldsOf(schema);
const DOCUMENT = defaultsOf(schema);
const edit = (changes, version = 3) => Object.entries(changes).reduce(
  (draft, [path, text]) => typed(draft, path, text), beginDraft(FIELDS, { eventId: 'onsale', document: DOCUMENT, version }),
);
const errorsOf = (changes) => reviewed(edit(changes), FIELDS).errors;

test('one check finds all errors that need no call', () => {
  const changes = {
    'schedule.opens_at': '2030-01-02T10:00', 'schedule.closes_at': '2030-01-02T10:00', 'schedule.pre_queue_at': '2030-01-02T11:00',
    'admission.min_per_minute': '601', 'session.renew_every': '600', 'page.brand.colors.text': '#dddddd',
    'token.valid_for': 'long', protect: '[{"path": "checkout"}]', bypass: '[{}]',
  };
  const draft = reviewed(edit(changes, null), FIELDS, (id) => id === 'onsale');
  assert.equal(draft.step, 'form');
  assert.deepEqual(draft.errors, {
    event_id: 'An event with this ID exists already.',
    'token.valid_for': 'Enter a whole number from 1 to 86,400.',
    protect: 'Rule 1: path must be a path that begins with /, in printable ASCII.',
    bypass: 'Rule 1 must have at least one of host, path, methods, header, cookie, user_agent.',
    'schedule.pre_queue_at': '“Pre-queue” must not be after “Opening”.',
    'schedule.closes_at': '“Closing” must be after “Opening”.',
    'admission.min_per_minute': '“Lowest rate” must not exceed “Rate”.',
    'session.renew_every': '“Renew every” must be less than “Session is valid for”.',
    'page.brand.colors.text': 'Text #dddddd on card #ffffff has a contrast of 1.4. It needs at least 4.5.',
  });
  assert.equal(summaryOf(draft, FIELDS), '9 fields must be corrected. New event ID: An event with this ID exists already.');
});

test('a valid document has no problem, and a value that cannot be read is the only error', () => {
  assert.deepEqual(problemsOf(FIELDS, DOCUMENT), []);
  assert.deepEqual(Object.keys(errorsOf({ 'schedule.pre_queue_at': '2030-01-01T10:00' })), ['schedule.pre_queue_at']);
  assert.deepEqual(Object.keys(errorsOf({ 'schedule.pre_queue_at': '2030-01-01T10:00', 'schedule.opens_at': 'soon' })), ['schedule.opens_at']);
  assert.equal(reviewed(edit({ protect: '[{"path": "/checkout", "methods": ["POST"]}]' }), FIELDS).step, 'review');
});

test('too little contrast is an error of the colour that was written', () => {
  assert.equal(contrast('#000000', '#ffffff'), 21);
  const wrong = (...colours) => Object.keys(errorsOf(Object.fromEntries(colours.map(([name, value]) => [`page.brand.${name}`, value]))));
  assert.deepEqual(wrong(['colors.muted', '#8a8a8a']), ['page.brand.colors.muted']);
  assert.match(errorsOf({ 'page.brand.colors.muted': '#777777' })['page.brand.colors.muted'], /a contrast of 4\.4\. It needs at least 4\.5/);
  assert.deepEqual(wrong(['colors.background', '#222222']), ['page.brand.colors.background']);
  assert.deepEqual(wrong(['colors.text', '#dddddd'], ['colors.card', '#fefefe']), ['page.brand.colors.text']);
  assert.deepEqual(wrong(['colors_dark.card', '#ffffff']), ['page.brand.colors_dark.card']);
  assert.deepEqual(wrong(['colors.accent', '#ffffff'], ['colors.text', '#000000']), []);
});

test('a refusal of the API is at the colour that it names, with the labels of the form', () => {
  const draft = refused(edit({}), FIELDS, 'page.brand.colors.text: text #dddddd on card #ffffff has a contrast of 1.4; text requires at least 4.5');
  const sentence = '“Colours: Text”: text #dddddd on card #ffffff has a contrast of 1.4; text requires at least 4.5.';
  assert.deepEqual(draft.errors, { 'page.brand.colors.text': sentence });
  assert.equal(summaryOf(draft, FIELDS), `One field must be corrected. Colours: Text: ${sentence}`);
  assert.deepEqual(typed(draft, 'page.brand.colors.card', '#000000').errors, {});
  assert.deepEqual(typed(draft, 'title', 'x').errors, draft.errors);
});

test('an error vanishes when one of the fields that it concerns changes', () => {
  const draft = reviewed(edit({ 'schedule.opens_at': '2030-01-02T10:00', 'schedule.closes_at': '2030-01-02T10:00' }), FIELDS);
  assert.deepEqual(Object.keys(draft.errors), ['schedule.closes_at']);
  assert.deepEqual(typed(draft, 'schedule.opens_at', '2030-01-02T09:00').errors, {});
  assert.deepEqual(typed(draft, 'title', 'x').errors, draft.errors);
  const api = refused(edit({}), FIELDS, 'schedule.closes_at must be after schedule.opens_at');
  assert.deepEqual(typed(api, 'schedule.opens_at', '').errors, {});
  const id = refused(edit({}, null), FIELDS, 'event_id must be 1 to 64 letters');
  assert.match(id.errors.event_id, /^Enter an event ID/);
  assert.deepEqual(typed(id, 'event_id', 'other').errors, {});
  const whole = refused(edit({}), FIELDS, 'the document must be at most 16384 bytes of JSON');
  assert.equal(summaryOf(whole, FIELDS), 'This must be corrected: The document must be at most 16384 bytes of JSON.');
  assert.deepEqual(typed(whole, 'title', 'x').errors, {});
  assert.equal(summaryOf(typed(whole, 'title', 'x'), FIELDS), '');
  assert.deepEqual(typed(taken(edit({}, null)), 'event_id', 'other').errors, {});
});

test('sentences of the API have the labels of the form', () => {
  const said = {
    'protect[0].path must be a plain path': '“Protected addresses”, entry 1, path must be a plain path.',
    'bypass[1] would open the whole site: add a host that protect does not name': '“Bypass”, entry 2 would open the whole site: add a host that “Protected addresses” does not name.',
    'page.texts.en.closed must be a list of title and text': '“Texts”, en.closed must be a list of title and text.',
    'title must have at most 100 characters': '“Title” must have at most 100 characters.',
  };
  for (const [sentence, words] of Object.entries(said)) assert.equal(labelled(FIELDS, sentence), words);
});

test('a copy is compared with the default values, not with its source', () => {
  const source = withValue(withValue(DOCUMENT, 'title', 'Gala'), 'admission.per_minute', 300);
  const draft = beginDraft(FIELDS, { document: source, origin: DOCUMENT });
  const copy = reviewed(typed(draft, 'event_id', 'gala-copy'), FIELDS);
  assert.deepEqual(copy.changes.map(({ field: { path }, before, after }) => [path, before, after]), [
    ['title', '', 'Gala'], ['admission.per_minute', 600, 300],
  ]);
  assert.equal(copy.document.title, 'Gala');
});
