// SPDX-License-Identifier: Apache-2.0
/** Formats for numbers, times and durations. */

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const fine = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });
const timeOfDay = new Intl.DateTimeFormat('en-GB', { timeStyle: 'medium' });
const dayAndTime = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'medium' });

const UNITS = [['day', 86_400], ['h', 3_600], ['min', 60], ['s', 1]];

/** Format a count with thousands separators: 1,204; a dash if unknown. */
export function count(number) {
  return number === null || number === undefined ? '–' : whole.format(number);
}

/** Format a rate: one decimal below ten, a dash if unknown. */
export function rate(number) {
  if (number === null || number === undefined) return '–';
  return Math.abs(number) < 10 ? fine.format(number) : whole.format(number);
}

/** Format a duration in its two largest units: "45 s", "7 min 12 s", "2 h 5 min", "3 days". */
export function span(seconds) {
  let left = Math.max(0, Math.round(seconds));
  const parts = [];
  for (const [unit, size] of UNITS) {
    const times = Math.floor(left / size);
    if (times === 0 && (parts.length || size > 1)) {
      if (parts.length) break;
      continue;
    }
    parts.push(`${times} ${unit}${unit === 'day' && times > 1 ? 's' : ''}`);
    left -= times * size;
    if (parts.length === 2 || left === 0) break;
  }
  return parts.join(' ');
}

/** Format the time of day; `at` in epoch milliseconds. */
export function time(at) {
  return timeOfDay.format(at);
}

/** Format day and time; `at` in epoch milliseconds. */
export function dateTime(at) {
  return dayAndTime.format(at);
}

/** Format a count with its noun: "1 visitor", "2 visitors"; `many` for irregular plurals. */
export function some(number, one, many = `${one}s`) {
  return `${count(number)} ${number === 1 ? one : many}`;
}
