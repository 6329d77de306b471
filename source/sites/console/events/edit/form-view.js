// SPDX-License-Identifier: Apache-2.0
/** The form of an event document: groups of fields with help texts and units. */

import { h } from 'preact';
import { summaryOf } from './draft.js';
import { choiceText, zoneAt } from './values.js';

/** Groups that are open at first. */
export const OPEN = ['', 'schedule', 'admission'];
const MONO = ['json', 'list', 'lines'];
const TEXTS = 'words/en.json'; // beside the waiting page
const COLOUR = /^#[0-9a-f]{6}$/i;

/**
 * `type(path, text)` takes the input of a field, `now` is in epoch seconds. `opened` has the names of
 * the open groups, `toggle(name, open)` changes it. `pageAddress` is that of the waiting page, or empty.
 */
export function FormView({ draft, groups, now, opened, toggle, pageAddress = '', type, review, close }) {
  const summary = summaryOf(draft, groups.flatMap(({ fields }) => fields));
  return h('form', { noValidate: true, autoComplete: 'off', onSubmit: (event) => { event.preventDefault(); review(); } },
    draft.version === null && h(IdField, { draft, type }),
    groups.map((group) => h(Group, { key: group.name, group, draft, now, pageAddress, type, open: opened.has(group.name), toggle })),
    h('div', { class: 'row' },
      h('button', { type: 'submit', class: 'main' }, 'Show changes…'),
      h('button', { type: 'button', onClick: close }, 'Discard'),
      summary && h('p', { class: 'wrong summary', tabIndex: -1 }, summary)));
}

function IdField({ draft, type }) {
  const wrong = draft.errors.event_id;
  return h('div', { class: 'field' },
    h('label', { for: 'edit-event_id' }, 'New event ID'),
    h('input', {
      id: 'edit-event_id', type: 'text', maxLength: 64, value: draft.eventId, spellcheck: false, autoCapitalize: 'off',
      'aria-invalid': wrong ? 'true' : null, 'aria-describedby': 'help-event_id', onInput: (event) => type('event_id', event.target.value),
    }),
    h('p', { id: 'help-event_id', class: wrong ? 'wrong' : 'hint' }, wrong ?? 'It is in addresses and cannot be changed later.'));
}

function Group({ group, draft, now, pageAddress, type, open, toggle }) {
  return h('details', { class: 'group', open, onToggle: (event) => toggle(group.name, event.target.open) },
    h('summary', {}, group.label),
    group.help && h('p', { class: 'hint' }, group.help),
    h('div', { class: 'fields' }, group.fields.map((field) => h(Field, { key: field.path, field, draft, now, pageAddress, type }))));
}

function Field({ field, draft, now, pageAddress, type }) {
  const { path, label, kind, schema } = field;
  const wrong = draft.errors[path];
  const id = `edit-${path}`;
  const help = [field.unit && kind !== 'time' && `In ${field.unit}.`, kind === 'time' && `Local time (${zoneAt(now)}).`, sentenceOf(field.help),
    schema['x-own'] && `Without one: ${schema['x-own']}.`,
    kind === 'list' && 'One on each line.', kind === 'json' && 'As JSON.'].filter(Boolean).join(' ');
  const common = {
    id, value: draft.texts[path], 'aria-invalid': wrong ? 'true' : null,
    'aria-describedby': [help && `help-${path}`, wrong && `wrong-${path}`].filter(Boolean).join(' ') || null,
    onInput: (event) => type(path, event.target.value),
  };
  return h('div', { class: MONO.includes(kind) ? 'field wide' : 'field' },
    h('label', { for: id }, label, 'x-own' in schema || schema.description?.startsWith('a colour') ? h(Colour, { colour: common.value || schema['x-own'] }) : null),
    h(Control, { kind, schema, common }),
    wrong && h('p', { id: `wrong-${path}`, class: 'wrong' }, wrong),
    help && h('p', { id: `help-${path}`, class: 'hint' }, pageAddress ? withLink(help, pageAddress) : help));
}

/** A description without a period is a part of a sentence. */
function sentenceOf(help) {
  return !help || help.endsWith('.') ? help : `${help[0].toUpperCase()}${help.slice(1)}.`;
}

/** The help text with a link to the texts of the waiting page, if it names them. */
function withLink(help, pageAddress) {
  const [before, after] = help.split(TEXTS);
  if (after === undefined) return help;
  return [before, h('a', { href: `${pageAddress}${TEXTS}`, target: '_blank', rel: 'noopener' }, TEXTS), after];
}

function Colour({ colour }) {
  return COLOUR.test(colour ?? '') && h('span', { class: 'colour', 'aria-hidden': 'true', style: { backgroundColor: colour } });
}

function Control({ kind, schema, common }) {
  if (kind === 'choice') return h('select', common, schema.enum.map((one) => h('option', { value: one, key: one }, choiceText(one))));
  if (kind === 'flag') return h('select', common, h('option', { value: 'true' }, 'yes'), h('option', { value: 'false' }, 'no'));
  if (MONO.includes(kind)) return h('textarea', { ...common, rows: Math.min(12, Math.max(2, common.value.split('\n').length)), dir: kind === 'lines' ? 'auto' : 'ltr', spellcheck: false, class: 'mono' });
  if (kind === 'time') return h('input', { ...common, type: 'datetime-local', step: 'any', max: '9999-12-31T23:59' });
  return h('input', { ...common, type: 'text', dir: 'auto', inputMode: kind === 'number' ? 'numeric' : null });
}
