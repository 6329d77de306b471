// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import test from 'node:test';
import schema from '../../../../docs/event.schema.json' with { type: 'json' };
import { explain } from '../api/errors.js';
import { beginDraft, reviewed, typed } from '../events/edit/draft.js';
import { defaultsOf, fieldsOf, groupsOf } from '../events/edit/fields.js';
import { FormView, OPEN } from '../events/edit/form-view.js';
import { ReviewView } from '../events/edit/review-view.js';
import { shownValue } from '../events/edit/values.js';
import { warningsOf } from '../events/edit/warnings.js';

const FIELDS = fieldsOf(schema);
const DOCUMENT = defaultsOf(schema);
const field = (path) => FIELDS.find((one) => one.path === path);
const edit = (changes, more = { eventId: 'onsale', version: 3 }) => Object.entries(changes).reduce(
  (draft, [path, text]) => typed(draft, path, text), beginDraft(FIELDS, { document: DOCUMENT, ...more }),
);

/** All elements of a view, without a browser. */
function elements(node) {
  if (Array.isArray(node)) return node.flatMap(elements);
  if (node === null || typeof node !== 'object') return [];
  if (typeof node.type === 'function') return elements(node.type(node.props));
  return [node, ...elements(node.props.children)];
}
function textOf(node) {
  if (Array.isArray(node)) return node.map(textOf).join('');
  if (node === null || typeof node !== 'object') return typeof node === 'string' ? node : '';
  return textOf(typeof node.type === 'function' ? node.type(node.props) : node.props.children);
}
const form = (draft, more = {}) => elements(FormView({ draft, groups: groupsOf(schema, FIELDS), now: 0, opened: new Set(OPEN), ...more }));
const review = (draft, more = {}) => elements(ReviewView({ draft, name: 'Gala (gala)', numbers: '', warnings: [], ...more }));

test('the wrong field has its sentence, and a line beside the button has it too', () => {
  const parts = form(reviewed(edit({ 'page.brand.colors.text': '#dddddd' }), FIELDS));
  const invalid = parts.filter(({ props }) => props['aria-invalid']);
  assert.deepEqual(invalid.map(({ props }) => props.id), ['edit-page.brand.colors.text']);
  assert.ok(invalid[0].props['aria-describedby'].includes('wrong-page.brand.colors.text'));
  const row = parts.findLast(({ props }) => props.class === 'row');
  assert.match(textOf(row), /Show changes….*One field must be corrected\. Colours: Text: Text #dddddd on card/);
  assert.equal(form(edit({})).some(({ props }) => props.class?.includes('summary')), false);
});

test('a group that the operator opened is open', () => {
  const toggled = [];
  const parts = form(edit({}), { opened: new Set(['token']), toggle: (...change) => toggled.push(change) });
  const groups = parts.filter(({ type }) => type === 'details');
  assert.deepEqual(groups.filter(({ props }) => props.open).map((one) => textOf(one.props.children[0])), ['Token']);
  groups[0].props.onToggle({ target: { open: true } });
  assert.deepEqual(toggled, [['', true]]);
});

test('the review has the labels of the form and the members', () => {
  const parts = review(reviewed(edit({ 'admission.per_minute': '300', mode: 'pass_through' }), FIELDS));
  const rows = parts.filter(({ type, props }) => type === 'th' && props.scope === 'row');
  assert.deepEqual(rows.map((row) => textOf(row)), ['Mode mode', 'Rate admission.per_minute']);
  assert.equal(parts.filter(({ type }) => type === 'code').length, 2);
  const brand = review(reviewed(edit({ 'page.brand.name': 'Gala' }), FIELDS)).filter(({ type }) => type === 'td');
  assert.deepEqual(brand.map(textOf), ['none', 'Gala']);
});

test('the review of a copy lists what differs from the default values', () => {
  const source = { ...DOCUMENT, title: 'Gala' };
  const copy = beginDraft(FIELDS, { document: source, origin: DOCUMENT, eventId: 'gala-copy' });
  const words = review(reviewed(copy, FIELDS)).map(textOf).join(' ');
  assert.match(words, /These members differ from their default values:.*Title title/);
});

test('help texts and the review name a choice as the form shows it', () => {
  assert.match(field('mode').help, /pass through: every visitor/);
  assert.match(field('schedule.after').help, /^pass through opens/);
  for (const { help, path } of FIELDS) assert.doesNotMatch(help, /pass_through/, path);
  assert.equal(shownValue(field('mode'), 'pass_through'), 'pass through');
});

test('the help of the texts links to them if the address of the waiting page is known', () => {
  const links = (pageAddress) => form(edit({}), { pageAddress }).filter(({ type }) => type === 'a').map(({ props }) => props.href);
  assert.deepEqual(links('https://wait.example/'), ['https://wait.example/words/en.json']);
  assert.deepEqual(links(''), []);
});

test('a colour has a swatch; without a colour, that of the page', () => {
  const parts = form(edit({ 'page.brand.colors.text': '#102030', 'page.brand.colors.card': 'red' }));
  const colours = parts.filter(({ props }) => props.class === 'colour').map(({ props }) => props.style.backgroundColor);
  assert.ok(colours.includes('#102030') && colours.includes(field('page.brand.colors.muted').schema['x-own']));
  assert.equal(colours.includes('red'), false);
  const help = parts.find(({ props }) => props.id === 'help-page.brand.colors.card');
  assert.equal(textOf(help), 'A colour like #1a2b3c. Without one: #ffffff.');
});

test('warnings: members without an effect, protected addresses, and HTML that the room removes', () => {
  const warned = (changes, changed = null) => warningsOf(reviewed(edit(changes), FIELDS).document, DOCUMENT, changed);
  const none = 'No address is protected, so no site behind the gate leads visitors to this event.';
  const rate = 'The rate has no effect with the strategy manual.';
  assert.deepEqual(warned({}), [none]);
  assert.deepEqual(warned({ title: 'x' }, ['title']), []);
  assert.deepEqual(warned({ 'admission.per_minute': '60' }), [rate, none]);
  assert.deepEqual(warned({ 'admission.burst': '60' }, ['admission.burst']), [rate]);
  assert.deepEqual(warned({ 'admission.per_minute': '60', 'admission.strategy': 'rate' }), [none]);
  assert.deepEqual(warned({ 'admission.per_minute': '60', 'admission.strategy': 'active' }, ['admission.strategy']), ['The rate has no effect with the strategy active.']);
  assert.deepEqual(warned({ 'admission.max_active': '5', 'admission.alarm': 'a' }, ['admission.max_active', 'admission.alarm']), [
    'The limit of active visitors has no effect with the strategy manual.', 'The alarm has no effect with the strategy manual.',
  ]);
  assert.deepEqual(warned({ protect: '[{"path": "/a"}]' }), ['Other events may protect the same addresses: test them with the rule tester.']);
});

test('HTML: scripts, and everything else that the room removes', () => {
  const warned = (html) => warningsOf({ ...DOCUMENT, page: { ...DOCUMENT.page, html } }, DOCUMENT, ['page.html']);
  const scripts = 'The room removes scripts from the block of HTML.';
  for (const html of ['<script>x()</script>', '<p onclick="x()">a</p>', '<IMG SRC=a onerror=x>', '<a href="javascript:x()">a</a>']) {
    assert.deepEqual(warned(html), [scripts], html);
  }
  assert.deepEqual(warned('<p class="a" style="b"><iframe src="c"></iframe></p>'), ['The room removes from the block of HTML: class, style, <iframe>.']);
  assert.deepEqual(warned('<h2 lang="de">Hallo</h2><p>1 < 2, on = off <a href="https://a.example" title="on=">b</a><br/></p>'), []);
  assert.deepEqual(warned(''), []);
});

test('a conflict of versions and an id that exists are sentences for operators', () => {
  const said = (error) => explain({ status: 409, body: { error, version: 2, current: { version: 2 } } }).message;
  assert.match(said('the event has changed: If-Match is not its current version'), /^Somebody else changed this event since you opened it\./);
  assert.equal(said('the event exists: send its version in If-Match'), 'An event with this ID exists already.');
});
