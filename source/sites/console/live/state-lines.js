// SPDX-License-Identifier: Apache-2.0
/** The state of an event in sentences: phase and author, brake and alarms. Times are in epoch seconds. */

import { phaseOf } from '../events/events.js';
import { dateTime, some, span } from '../page/format.js';
import { shortName } from './audit-words.js';

const ACTIONS_TO = { paused: ['pause'], draining: ['drain'], closed: ['close'], open: ['open', 'resume', 'queue'], pass_through: ['pass_through'] };

const DECIDING = ['mode', 'schedule', 'control']; // members of the document that decide about the phase

/** Describe who brought the event into its phase: "Paused by ada, …"; empty if these entries do not tell. */
export function phaseAuthor(phase, entries) {
  const last = (entries ?? []).find(({ what, after }) => (ACTIONS_TO[phase] ?? []).includes(what) || after?.phase === phase);
  return last ? byText(phaseOf({ phase })[0], last) : '';
}

/**
 * Describe who brought the event into its phase, in any case. `complete`: the log has no earlier entries
 * than these. Without an action and a change by the schedule, the phase is that of the latest change of the
 * document, or of its creation.
 */
export function changedByText(phase, entries, complete) {
  const known = phaseAuthor(phase, entries);
  if (known) return known;
  if (!complete) return 'Not in the latest entries of the audit log';
  const edit = entries.find(({ what, before, after }) => ['put', 'patch'].includes(what)
    && DECIDING.some((name) => name in before || name in after));
  if (edit) return byText(phaseOf({ phase })[0], edit);
  const creation = entries.find(({ what }) => what === 'create');
  return creation ? byText('Created', creation) : 'Not in the audit log, which is kept for 90 days';
}

function byText(what, { role, who, at }) {
  return `${what} by ${['schedule', 'deployment'].includes(role) ? `the ${role}` : shortName(who)}, ${dateTime(at * 1000)}`;
}

/** Describe the brake: `{state, words}`. `admission` is that of `GET /alarms`, `settings` that of the document. */
export function brakeLine(admission, settings) {
  if (!settings || settings.strategy === 'manual') return { state: '', words: 'Admission by hand or inlet' };
  if (!admission || admission.brake === null) return { state: '', words: 'Not braked' };
  const alarm = admission.alarm;
  const cause = alarm && alarm.state !== 'OK' ? `: alarm ${alarm.name} is ${alarm.state === 'ALARM' ? 'in ALARM' : alarm.state}` : '';
  if (admission.brake >= 1) return { state: 'live', words: `Not braked${cause}` };
  if (admission.brake <= 0) return { state: 'stale', words: `Stopped by the brake${cause}` };
  return { state: 'stale', words: `Slowed to ${Math.round(admission.brake * 100)} %${cause}` };
}

/** Describe the alarms of the room: `{state, words, active}`. `response` is that of `GET /alarms`, null while unknown. */
export function alarmsLine(response) {
  if (!response) return { state: '', words: 'Unknown', active: [] };
  const { alarms, unread } = response;
  const active = alarms.filter(({ state }) => state === 'ALARM');
  const rest = unread.length ? `; those of ${unread.join(', ')} could not be read` : '';
  if (active.length) return { state: 'stale', words: `${some(active.length, 'alarm')} in ALARM${rest}`, active };
  const none = alarms.length ? `None of ${some(alarms.length, 'alarm')} is in ALARM` : 'The room has no alarms';
  return { state: unread.length ? 'stale' : 'live', words: `${none}${rest}`, active };
}

/** Describe an alarm: name, since when, and why. */
export function alarmText({ name, since, reason }, now) {
  return `${name}, for ${span(now - since)}${reason ? `: ${reason}` : ''}`;
}
