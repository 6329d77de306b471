// SPDX-License-Identifier: Apache-2.0
/** Values of a document as texts of the form, and the other way round. Times are epoch seconds. */

import { count } from '../../page/format.js';

/** Return the text of a value in the form. */
export function textOf({ kind }, value) {
  if (value === null || value === undefined) return '';
  if (kind === 'time') return localText(value);
  if (kind === 'list') return value.join('\n');
  return kind === 'json' ? JSON.stringify(value, null, 2) : String(value);
}

/** Parse a text of the form: `{value}`, or `{wrong}`, a sentence. The API checks the rest. */
export function valueOf(field, text) {
  return PARSERS[field.kind](field.schema, text);
}

/** Return a value of a choice as the form shows it. */
export function choiceText(value) {
  return value.replaceAll('_', ' ');
}

/** Return a value as a short text for a comparison. */
export function shownValue({ kind, unit }, value) {
  if (value === null || value === undefined || value === '') return 'none';
  if (kind === 'time') return `${localText(value).replace('T', ' ')} (${zoneAt(value)})`;
  if (kind === 'flag') return value ? 'yes' : 'no';
  if (kind === 'choice') return choiceText(value);
  if (kind === 'number') return `${count(value)}${unit ? ` ${unit}` : ''}`;
  if (kind === 'list') return value.join(', ') || 'none';
  if (kind === 'json') return JSON.stringify(value) === '[]' ? 'none' : JSON.stringify(value);
  return String(value);
}

/** Return a local date and time for an input: 2027-03-01T12:00, with seconds if there are any. */
export function localText(at) {
  const date = new Date(at * 1000);
  const two = (number) => String(number).padStart(2, '0');
  const day = [String(date.getFullYear()).padStart(4, '0'), two(date.getMonth() + 1), two(date.getDate())].join('-');
  const seconds = date.getSeconds() ? `:${two(date.getSeconds())}` : '';
  return `${day}T${two(date.getHours())}:${two(date.getMinutes())}${seconds}`;
}

/** Return the time zone of this browser at a time: "Europe/Berlin, UTC+01:00". */
export function zoneAt(at) {
  const { timeZone } = new Intl.DateTimeFormat().resolvedOptions();
  const minutes = -new Date(at * 1000).getTimezoneOffset();
  const [hours, rest] = [Math.floor(Math.abs(minutes) / 60), Math.abs(minutes) % 60];
  const offset = `UTC${minutes < 0 ? '-' : '+'}${String(hours).padStart(2, '0')}:${String(rest).padStart(2, '0')}`;
  return `${timeZone}, ${offset}`;
}

const nullable = (schema) => [schema.type].flat().includes('null');

const PARSERS = {
  choice: (_schema, text) => ({ value: text }),
  flag: (_schema, text) => ({ value: text === 'true' }),
  text: parseText,
  lines: parseText,
  number: (schema, text) => {
    const digits = text.trim().replace(/(\d)[,  ](?=\d{3}\b)/g, '$1');
    if (digits === '' && nullable(schema)) return { value: null };
    const value = /^\d{1,9}$/.test(digits) ? Number(digits) : NaN;
    if (value >= schema.minimum && value <= schema.maximum) return { value };
    return { wrong: `Enter a whole number from ${count(schema.minimum)} to ${count(schema.maximum)}${nullable(schema) ? ', or nothing' : ''}.` };
  },
  time: (schema, text) => {
    if (text.trim() === '' && nullable(schema)) return { value: null };
    const at = Math.floor(new Date(text).getTime() / 1000);
    return at >= schema.minimum && at <= schema.maximum ? { value: at } : { wrong: 'Enter a date and a time.' };
  },
  list: (schema, text) => {
    const value = [...new Set(text.split('\n').map((line) => line.trim()).filter(Boolean))];
    if (value.length > schema.maxItems) return { wrong: `Enter at most ${count(schema.maxItems)} lines.` };
    const wrong = value.find((line) => schema.items.pattern && !new RegExp(schema.items.pattern, 'u').test(line));
    return wrong === undefined ? { value } : { wrong: `“${wrong}” must be ${schema.items.description}.` };
  },
  json: (schema, text) => {
    if (text.trim() === '') return { value: structuredClone(schema.default) };
    try {
      const value = JSON.parse(text);
      const isList = [schema.type].flat().includes('array');
      if (isList !== Array.isArray(value) || value === null || typeof value !== 'object') {
        return { wrong: isList ? 'Enter a list in square brackets.' : 'Enter an object in braces.' };
      }
      const wrong = isList ? wrongEntry(schema, value) : '';
      return wrong ? { wrong } : { value };
    } catch (error) {
      return { wrong: `This is not valid JSON: ${error.message}.` };
    }
  },
};

/** Return what is wrong with the first invalid rule of a list, as a sentence; empty if all are valid. */
function wrongEntry({ items, maxItems }, rules) {
  if (rules.length > maxItems) return `Enter at most ${count(maxItems)} rules.`;
  const names = Object.keys(items.properties);
  for (const [index, rule] of rules.entries()) {
    const where = `Rule ${index + 1}`;
    if (rule === null || typeof rule !== 'object' || Array.isArray(rule)) return `${where} must be an object in braces.`;
    if (!Object.keys(rule).length) return `${where} must have at least one of ${names.join(', ')}.`;
    for (const [name, value] of Object.entries(rule)) {
      if (!names.includes(name)) return `${where} must have only ${names.join(', ')}.`;
      const member = items.properties[name];
      if (!member.pattern) continue;
      if (typeof value !== 'string' || !new RegExp(member.pattern, 'u').test(value)) return `${where}: ${name} must be ${member.description}.`;
      if (value.length > member.maxLength) return `${where}: ${name} must have at most ${count(member.maxLength)} characters.`;
    }
  }
  return '';
}

function parseText(schema, text) {
  if (text === '' && nullable(schema)) return { value: null };
  if (text === '' && !('default' in schema)) return { value: undefined }; // an optional member
  if (schema.pattern && !new RegExp(schema.pattern, 'u').test(text)) return { wrong: `Enter ${schema.description}.` };
  if ([...text].length > (schema.maxLength ?? Infinity)) return { wrong: `Enter at most ${count(schema.maxLength)} characters.` };
  return { value: text };
}
