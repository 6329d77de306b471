// SPDX-License-Identifier: Apache-2.0
/** Entries of the audit log in words. */

import { count, dateTime } from '../page/format.js';

const NAMES = {
  create: 'Created', put: 'Changed', patch: 'Changed', delete: 'Deleted', open: 'Opened', pause: 'Paused', resume: 'Resumed',
  drain: 'Drained', close: 'Closed', pass_through: 'Passed through', queue: 'Queued', admit: 'Admitted', reset: 'Reset',
  message: 'Message', phase: 'Phase', end_session: 'Ended a session',
};
const ROLES = { schedule: 'schedule', admission: 'automatic admission', deployment: 'deployment' };
const LABELS = {
  serving_counter: 'serving position', 'control.opened_at': 'opened at', 'control.paused_at': 'paused at', 'control.drained_at': 'drained at', 'control.closed_at': 'closed at',
};
const LONGEST = 120; // characters of a value

/** Return the entries with successive steps of one author joined: `{...entry, until, steps}`, newest first. */
export function grouped(entries) {
  const rows = [];
  for (const entry of entries) {
    const last = rows.at(-1);
    const continues = last && entry.what === 'admit' && last.what === 'admit' && entry.who === last.who && entry.role === last.role && entry.role !== 'person';
    if (continues) Object.assign(last, { before: entry.before, at: entry.at, steps: last.steps + 1 });
    else rows.push({ ...entry, until: entry.at, steps: 1 });
  }
  return rows;
}

/** Return who made a change: the last part of an ARN, or the part of the room. */
export function authorOf({ role, who }) {
  return ROLES[role] ?? (role === 'inlet' ? `inlet ${shortName(who)}` : shortName(who));
}

/** Return the last part of an ARN. */
export function shortName(who) {
  return who.split(/[/:]/).at(-1) || who;
}

/** Describe a change: "Changed: Rate 300 → 600". `fields` are those of the form. */
export function changeText({ what, before, after, steps = 1 }, fields = []) {
  const labelOf = (path) => LABELS[path] ?? fields.find((one) => one.path === path)?.label ?? path;
  const name = `${NAMES[what] ?? what.replaceAll('_', ' ')}${steps > 1 ? ` in ${steps} steps` : ''}`;
  const [old, now] = [leaves(before), leaves(after)];
  const paths = [...new Set([...Object.keys(old), ...Object.keys(now)])];
  const parts = paths.map((path) => `${labelOf(path)} ${path in old ? `${shown(old[path])} → ` : ''}${path in now ? shown(now[path]) : 'none'}`);
  return parts.length ? `${name}: ${parts.join(', ')}` : name;
}

function leaves(value, path = '') {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return path ? { [path]: value } : {};
  return Object.assign({}, ...Object.entries(value).map(([name, inner]) => leaves(inner, path ? `${path}.${name}` : name)));
}

function shown(value) {
  const text = typeof value === 'number' ? (value > 1e9 ? dateTime(value * 1000) : count(value)) : typeof value === 'string' ? `“${value}”` : JSON.stringify(value);
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
}
