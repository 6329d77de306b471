// SPDX-License-Identifier: Apache-2.0
/** The form of an event document: groups of fields with help texts and units. */

import { h } from 'preact';
import { zoneAt } from './values.js';

const OPEN = ['', 'schedule', 'admission']; // groups that are open at first
const MONO = ['json', 'list', 'lines'];

/** `type(path, text)` takes the input of a field, `now` is in epoch seconds. */
export function FormView({ draft, groups, now, type, review, close }) {
  return h('form', { noValidate: true, autoComplete: 'off', onSubmit: (event) => { event.preventDefault(); review(); } },
    draft.errors[''] && h('p', { class: 'wrong', role: 'alert' }, draft.errors['']),
    draft.version === null && h(IdField, { draft, type }),
    groups.map((group) => h(Group, { key: group.name, group, draft, now, type })),
    h('div', { class: 'row' },
      h('button', { type: 'submit', class: 'main' }, 'Show changes…'),
      h('button', { type: 'button', onClick: close }, 'Discard')));
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

function Group({ group, draft, now, type }) {
  const wrong = group.fields.some(({ path }) => draft.errors[path]);
  return h('details', { class: 'group', open: OPEN.includes(group.name) || wrong || undefined },
    h('summary', {}, group.label),
    group.help && h('p', { class: 'hint' }, group.help),
    h('div', { class: 'fields' }, group.fields.map((field) => h(Field, { key: field.path, field, draft, now, type }))));
}

function Field({ field, draft, now, type }) {
  const { path, label, kind, schema } = field;
  const wrong = draft.errors[path];
  const id = `edit-${path}`;
  const help = [field.unit && kind !== 'time' && `In ${field.unit}.`, kind === 'time' && `Local time (${zoneAt(now)}).`, field.help,
    kind === 'list' && 'One on each line.', kind === 'json' && 'As JSON.'].filter(Boolean).join(' ');
  const common = {
    id, value: draft.texts[path], 'aria-invalid': wrong ? 'true' : null,
    'aria-describedby': [help && `help-${path}`, wrong && `wrong-${path}`].filter(Boolean).join(' ') || null,
    onInput: (event) => type(path, event.target.value),
  };
  return h('div', { class: MONO.includes(kind) ? 'field wide' : 'field' },
    h('label', { for: id }, label),
    h(Control, { kind, schema, common }),
    wrong && h('p', { id: `wrong-${path}`, class: 'wrong' }, wrong),
    help && h('p', { id: `help-${path}`, class: 'hint' }, help));
}

function Control({ kind, schema, common }) {
  if (kind === 'choice') return h('select', common, schema.enum.map((one) => h('option', { value: one, key: one }, one.replaceAll('_', ' '))));
  if (kind === 'flag') return h('select', common, h('option', { value: 'true' }, 'yes'), h('option', { value: 'false' }, 'no'));
  if (MONO.includes(kind)) return h('textarea', { ...common, rows: Math.min(12, Math.max(2, common.value.split('\n').length)), dir: kind === 'lines' ? 'auto' : 'ltr', spellcheck: false, class: 'mono' });
  if (kind === 'time') return h('input', { ...common, type: 'datetime-local', step: 'any', max: '9999-12-31T23:59' });
  return h('input', { ...common, type: 'text', dir: 'auto', inputMode: kind === 'number' ? 'numeric' : null });
}
