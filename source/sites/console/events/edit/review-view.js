// SPDX-License-Identifier: Apache-2.0
/** What an operator sees before saving: the changes, or those of two operators side by side. */

import { h } from 'preact';
import { some } from '../../page/format.js';
import { shownValue } from './values.js';

/** `numbers` is a sentence about the event, or empty; `warnings` are sentences. */
export function ReviewView({ draft, name, numbers, warnings, save, back }) {
  const { changes, version } = draft;
  const isNew = version === null;
  const words = isNew
    ? `Create ${name}. ${changes.length ? 'These members differ from their default values:' : 'All members have their default values.'}`
    : changes.length ? `${some(changes.length, 'change')} of ${name}, version ${version}. A change takes effect within seconds.` : 'Nothing was changed.';
  return h('div', { class: 'stack' },
    h('p', {}, words),
    numbers && h('p', { class: 'hint' }, numbers),
    changes.length > 0 && h(Table, { head: ['Member', isNew ? 'Default' : 'Now', 'New'], rows: changes.map(({ field, before, after }) => [field, [before ?? null, after ?? null]]) }),
    warnings.length > 0 && h('div', { class: 'warnings' }, h('p', {}, 'Before you save:'), h('ul', {}, warnings.map((one) => h('li', { key: one }, one)))),
    h('div', { class: 'row' },
      (isNew || changes.length > 0) && h('button', { type: 'button', class: 'main', onClick: save }, isNew ? 'Create event' : 'Save changes'),
      h('button', { type: 'button', onClick: back }, 'Back to the form')));
}

/** `who` says who changed the event in the meantime. */
export function ConflictView({ draft, name, who, keep }) {
  const { rows, theirs } = draft;
  const conflicts = rows.filter((row) => row.conflict);
  const free = rows.filter((row) => row.isMine && !row.conflict);
  return h('div', { class: 'stack' },
    h('p', { role: 'alert' }, `${name} was changed while you edited it: version ${theirs.version} replaces version ${draft.version}. ${who}`),
    h('p', {}, conflicts.length
      ? `${some(conflicts.length, 'member was', 'members were')} changed by both of you to different values.`
      : 'No member was changed by both of you to different values.'),
    h(Table, {
      head: ['Member', `Version ${draft.version}`, `Version ${theirs.version}`, 'Yours'],
      rows: rows.map((row) => [row.field, [row.base ?? null, row.theirs ?? null, row.isMine ? row.mine ?? null : undefined], row.conflict]),
    }),
    h('div', { class: 'row' },
      h('button', { type: 'button', class: 'main', onClick: () => keep('all') }, conflicts.length ? 'Keep all my changes…' : 'Keep my changes…'),
      conflicts.length > 0 && free.length > 0 && h('button', { type: 'button', onClick: () => keep('free') }, 'Keep mine without the conflicts…'),
      h('button', { type: 'button', onClick: () => keep('none') }, 'Drop my changes')));
}

function Table({ head, rows }) {
  return h('div', { class: 'scroll', tabIndex: 0, role: 'region', 'aria-label': 'Changes' }, h('table', { class: 'texts' },
    h('thead', {}, h('tr', {}, head.map((one) => h('th', { scope: 'col', key: one }, one)))),
    h('tbody', {}, rows.map(([field, values, conflict]) => h('tr', { key: field.path, 'data-conflict': conflict ? 'yes' : null },
      h('th', { scope: 'row' }, field.label, ' ', h('code', { class: 'hint' }, field.path), conflict ? ' (conflict)' : ''),
      values.map((value, i) => h('td', { key: i, 'data-label': head[i + 1] }, h('bdi', {}, value === undefined ? '–' : shownValue(field, value)))))))));
}
