// SPDX-License-Identifier: Apache-2.0
/**
 * CSV export (RFC 4180) with the separator and the decimal sign of the operator's language. No text in
 * a file can be read as a formula.
 */

const FORMULA = /^[=+\-@\t\r\n＝＋－＠]/u;
const QUOTED = /[",;\t\r\n]/;

/** Separator and decimal sign of a language: with a decimal comma, `;` separates. */
export function formOf(language) {
  const parts = new Intl.NumberFormat(language).formatToParts(1.5);
  const comma = parts.find((part) => part.type === 'decimal')?.value === ',';
  return comma ? { separator: ';', decimal: ',' } : { separator: ',', decimal: '.' };
}

/** The CSV format for the language of this browser. */
export function formHere() {
  return formOf(globalThis.navigator?.language);
}

/** Format a table: a header row, then the rows; lines end with CRLF. */
export function toCsv(names, rows, form = formHere()) {
  const line = (row) => row.map((value) => cell(value, form)).join(form.separator);
  return `${[names, ...rows].map(line).join('\r\n')}\r\n`;
}

/** Format a cell. A text that begins like a formula gets a leading apostrophe. */
function cell(value, { decimal }) {
  if (value === null || value === undefined) return '';
  if (typeof value === 'number') return Number.isFinite(value) ? String(value).replace('.', decimal) : '';
  let text = String(value);
  if (FORMULA.test(text.trimStart()) || FORMULA.test(text)) text = `'${text}`;
  return QUOTED.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export const METRICS = [
  ['time', (point) => new Date(point.at * 1000).toISOString()],
  ['generation', (point) => point.generation],
  ['serving_position', (point) => point.serving],
  ['queue_size', (point) => point.queue],
  ['waiting', (point) => point.waiting],
  ['open_turns', (point) => point.openTurns],
  ['active_tokens', (point) => point.active],
  ['expired_tokens', (point) => point.expiredTokens],
  ['completed_sessions', (point) => point.completed],
  ['abandoned_sessions', (point) => point.abandoned],
  ['positions_expired', (point) => point.positionsExpired],
  ['joins_per_minute', (point) => rounded(point.joinRate)],
  ['admissions_per_minute', (point) => rounded(point.admissionRate)],
];

/** The points of a history, one per row. */
export function metricsCsv(points, form = formHere()) {
  return toCsv(
    METRICS.map(([name]) => name),
    points.map((point) => METRICS.map(([, value]) => value(point))),
    form,
  );
}

/** A page of expired tokens. */
export function expiredCsv(eventId, requestIds, form = formHere()) {
  return toCsv(['event_id', 'request_id'], requestIds.map((id) => [eventId, id]), form);
}

/** The points of the history of a day. */
export function historyCsv(points, form = formHere()) {
  const names = ['joined', 'admitted', 'arrived', 'waiting', 'active', 'left', 'no_shows', 'wait_p50', 'wait_p95'];
  return toCsv(['time', ...names], points.map((point) => [new Date(point.at * 1000).toISOString(), ...names.map((name) => point[name])]), form);
}

/** Entries of the audit log, newest first. */
export function auditCsv(entries, form = formHere()) {
  return toCsv(
    ['time', 'who', 'role', 'what', 'before', 'after'],
    entries.map(({ at, who, role, what, before, after }) => [new Date(at * 1000).toISOString(), who, role, what, JSON.stringify(before), JSON.stringify(after)]),
    form,
  );
}

/** The log of this session, oldest first. */
export function logCsv(entries, form = formHere()) {
  return toCsv(
    ['time', 'action', 'outcome', 'result'],
    entries.map((entry) => [new Date(entry.at).toISOString(), entry.action, entry.outcome, entry.text]),
    form,
  );
}

/** A file name without characters that file systems reject. */
export function fileName(eventId, what, at) {
  const safe = eventId.replace(/[^\w.-]+/g, '_').slice(0, 64);
  return `${safe}-${what}-${new Date(at).toISOString().slice(0, 19).replaceAll(':', '')}Z.csv`;
}

function rounded(number) {
  return number === null ? null : Math.round(number * 100) / 100;
}
