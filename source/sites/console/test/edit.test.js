// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import test from 'node:test';
import schema from '../../../../docs/event.schema.json' with { type: 'json' };
import { at, changesOf, compared, merged, withValue } from '../events/edit/changes.js';
import { beginDraft, conflicted, documentOf, isChanged, refused, resolved, reviewed, typed } from '../events/edit/draft.js';
import { defaultsOf, fieldsOf, groupsOf } from '../events/edit/fields.js';
import { fieldNamed } from '../events/edit/sentences.js';
import { localText, shownValue, textOf, valueOf } from '../events/edit/values.js';

const FIELDS = fieldsOf(schema);
const field = (path) => FIELDS.find((one) => one.path === path);
const DOCUMENT = defaultsOf(schema);
const edit = (changes, document = DOCUMENT, version = 3) => Object.entries(changes).reduce(
  (draft, [path, text]) => typed(draft, path, text), beginDraft(FIELDS, { eventId: 'onsale', document, version }),
);

test('the form has each member of the schema that can be changed, with a label, once', () => {
  const paths = FIELDS.map(({ path }) => path);
  for (const path of ['title', 'schedule.opens_at', 'admission.per_minute', 'site.hosts', 'protect']) assert.ok(paths.includes(path), path);
  assert.equal(paths.filter((path) => path.startsWith('control')).length, 0);
  assert.equal(paths.includes('opening'), false, 'it is not built yet');
  assert.equal(new Set(paths).size, paths.length);
  assert.equal(groupsOf(schema).flatMap(({ fields }) => fields).length, FIELDS.length);
  for (const { schema: one, path } of FIELDS) assert.ok(one.title, `${path} has a label in the schema`);
});

test('each kind of value becomes a text and comes back', () => {
  const values = {
    title: 'Spring tour', mode: 'pass_through', 'schedule.opens_at': 1_803_902_400, 'schedule.closes_at': null,
    'admission.per_minute': 1_500, 'admission.burst': null, 'admission.alarm': null, 'turn.increment_on_expiry': true,
    'site.hosts': ['a.example', 'b.example'], protect: [{ path: '/checkout' }],
  };
  for (const [path, value] of Object.entries(values)) {
    assert.deepEqual(valueOf(field(path), textOf(field(path), value)), { value }, path);
  }
  assert.match(localText(1_803_902_401), /:01$/);
  assert.match(shownValue(field('schedule.opens_at'), 1_803_902_400), /^2027-03-01 .*UTC[+-]\d\d:\d\d/);
  assert.equal(shownValue(field('admission.per_minute'), 1_500), '1,500 positions per minute');
});

test('wrong input is a sentence at its field, and the rest stays', () => {
  const wrong = {
    'admission.per_minute': '1.5', 'turn.expires_after': '100000', 'schedule.opens_at': 'tomorrow',
    'site.hosts': 'https://a.example', protect: '{"path": "/"}', title: 'x'.repeat(101), bypass: '[{',
  };
  const draft = reviewed(edit({ ...wrong, 'token.valid_for': '60' }), FIELDS);
  assert.equal(draft.step, 'form');
  assert.deepEqual(Object.keys(draft.errors).sort(), Object.keys(wrong).sort());
  assert.equal(draft.errors['turn.expires_after'], 'Enter a whole number from 0 to 86,400.');
  assert.match(draft.errors['site.hosts'], /must be a host name in lower case/);
  assert.equal(draft.texts['token.valid_for'], '60');
  assert.equal(typed(draft, 'title', 'short').errors.title, undefined);
});

test('the review shows the changed members only, and read-only ones stay as received', () => {
  const received = { event_id: 'onsale', version: 3, phase: 'paused', message: '', serverTime: 1, ...DOCUMENT, control: { paused_at: 5 } };
  const draft = reviewed(edit({ title: 'New', 'admission.per_minute': '300' }, documentOf(received)), FIELDS);
  assert.deepEqual(draft.changes.map(({ field: { path }, before, after }) => [path, before, after]), [
    ['title', '', 'New'], ['admission.per_minute', 600, 300],
  ]);
  assert.deepEqual(draft.document.control, { paused_at: 5 });
  assert.equal('phase' in draft.document, false);
  assert.equal(isChanged(draft), true);
  assert.equal(isChanged(edit({})), false);
});

test('the brand of the page is optional: an empty field removes its member', () => {
  const brand = { name: 'Nordlicht', colors: { accent: '#8a1c3b' } };
  const document = { ...DOCUMENT, page: { ...DOCUMENT.page, brand } };
  assert.deepEqual(DOCUMENT.page, { brand: {}, texts: {}, html: '' });
  assert.equal(field('page.brand.colors_dark.text').label, 'Colours in dark mode: Text');
  assert.equal(field('page.html').kind, 'lines');
  const draft = reviewed(edit({ 'page.brand.name': '', 'page.brand.colors.text': '#101010', 'page.html': '<p>Hi</p>' }, document), FIELDS);
  assert.deepEqual(JSON.parse(JSON.stringify(draft.document.page)), {
    brand: { colors: { accent: '#8a1c3b', text: '#101010' } }, texts: {}, html: '<p>Hi</p>',
  });
  assert.deepEqual(draft.changes.map(({ field: { path } }) => path), ['page.brand.name', 'page.brand.colors.text', 'page.html']);
  assert.equal(shownValue(field('page.brand.name'), undefined), 'none');
  const wrong = reviewed(edit({ 'page.brand.colors.accent': 'red', 'page.texts': '[]' }), FIELDS);
  assert.equal(wrong.errors['page.brand.colors.accent'], 'Enter a colour like #1a2b3c.');
  assert.equal(wrong.errors['page.texts'], 'Enter an object in braces.');
  assert.equal(fieldNamed(FIELDS, 'page.brand.colors: text #999999 on card').path, 'page.brand.colors.text');
});

test('a new event needs an id', () => {
  const draft = beginDraft(FIELDS, { document: DOCUMENT });
  assert.match(reviewed(draft, FIELDS).errors.event_id, /Enter an event ID/);
  assert.equal(reviewed(typed(draft, 'event_id', ' onsale '), FIELDS).eventId, 'onsale');
});

test('a refusal of the API is shown at the member that it names', () => {
  assert.equal(fieldNamed(FIELDS, 'schedule.opens_at must be null')?.path, 'schedule.opens_at');
  assert.equal(fieldNamed(FIELDS, 'protect[0].path must be a path')?.path, 'protect');
  const sentence = 'schedule.closes_at must be after schedule.opens_at';
  assert.deepEqual(refused(edit({}), FIELDS, sentence).errors, { 'schedule.closes_at': '“Closing” must be after “Opening”.' });
  assert.deepEqual(refused(edit({}), FIELDS, 'the document is too long').errors, { '': 'The document is too long.' });
  assert.equal(fieldNamed(FIELDS, 'protect has a rule that the event b has too: remove it from one of the two events').path, 'protect');
});

test('changes of two operators are compared, and mine can be kept or dropped', () => {
  const theirs = withValue(withValue(DOCUMENT, 'title', 'Theirs'), 'token.valid_for', 60);
  const mine = reviewed(edit({ title: 'Mine', 'admission.per_minute': '300' }), FIELDS);
  const draft = conflicted(mine, FIELDS, { event_id: 'onsale', version: 4, phase: 'open', ...theirs });
  assert.deepEqual(draft.rows.map((row) => [row.field.path, row.conflict]), [
    ['title', true], ['admission.per_minute', false], ['token.valid_for', false],
  ]);
  const kept = (what) => {
    const next = resolved(draft, FIELDS, what);
    return [next.version, ...['title', 'admission.per_minute', 'token.valid_for'].map((path) => next.texts[path])];
  };
  assert.deepEqual(kept('all'), [4, 'Mine', '300', '60']);
  assert.deepEqual(kept('free'), [4, 'Theirs', '300', '60']);
  assert.deepEqual(kept('none'), [4, 'Theirs', '600', '60']);
  assert.equal(resolved(draft, FIELDS, 'all').step, 'review');
  assert.deepEqual(resolved(draft, FIELDS, 'all').changes.map(({ field: { path } }) => path), ['title', 'admission.per_minute']);
});

test('the same change by both is no conflict', () => {
  const both = withValue(DOCUMENT, 'title', 'Same');
  const rows = compared(FIELDS, DOCUMENT, both, both);
  assert.deepEqual(rows.map((row) => row.conflict), [false]);
  assert.equal(at(merged(rows, both, { all: true }), 'title'), 'Same');
  assert.deepEqual(changesOf(FIELDS, both, { ...both, page: { html: '', brand: {}, texts: {} } }), []);
});
