// SPDX-License-Identifier: Apache-2.0
/**
 * Rules between the members of a document, which need no call. The API has them too
 * (`domain/events/validation.py`, `brand.py`), and others.
 */

import { at } from './changes.js';

const READABLE = 4.5; // minimum contrast of text, WCAG 2.1 AA
const UNEQUAL = [
  ['schedule.pre_queue_at', 'schedule.opens_at', (one, other) => one <= other, 'must not be after'],
  ['schedule.closes_at', 'schedule.opens_at', (one, other) => one > other, 'must be after'],
  ['admission.min_per_minute', 'admission.per_minute', (one, other) => one <= other, 'must not exceed'],
  ['session.renew_every', 'session.valid_for', (one, other) => one < other, 'must be less than'],
];

/** Return what is wrong: `{path, about, sentence}`. A change of a member of `about` can correct it. */
export function problemsOf(fields, document) {
  const label = (path) => `“${fields.find((one) => one.path === path).label}”`;
  const problems = [];
  if (set(at(document, 'schedule.pre_queue_at')) && !set(at(document, 'schedule.opens_at'))) {
    const [path, other] = UNEQUAL[0];
    problems.push({ path, about: [path, other], sentence: `${label(path)} needs ${label(other)}: without it, the event is open now.` });
  }
  for (const [path, other, holds, words] of UNEQUAL) {
    const [one, limit] = [at(document, path), at(document, other)];
    if (set(one) && set(limit) && !holds(one, limit)) {
      problems.push({ path, about: [path, other], sentence: `${label(path)} ${words} ${label(other)}.` });
    }
  }
  return [...problems, ...['page.brand.colors', 'page.brand.colors_dark'].flatMap((path) => unreadable(fields, document, path))];
}

/** Return the contrast of two colours `#rrggbb`, from 1 to 21 (WCAG 2.1). */
export function contrast(one, other) {
  const [low, high] = [light(one), light(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

/** Colours with too little contrast, at the colour that is given: the text if both or none are. */
function unreadable(fields, document, parent) {
  const given = at(document, parent) ?? {};
  const about = fields.filter(({ path }) => path.startsWith(`${parent}.`));
  const own = Object.fromEntries(about.map(({ path, schema }) => [path.split('.').at(-1), schema['x-own']]));
  const every = { ...own, ...Object.fromEntries(Object.entries(given).filter(([, value]) => value)) };
  const found = [];
  for (const text of ['text', 'muted']) {
    for (const under of ['card', 'background']) {
      const ratio = contrast(every[text], every[under]);
      const path = `${parent}.${given[text] || !given[under] ? text : under}`;
      if (ratio >= READABLE || found.some((one) => one.path === path)) continue;
      found.push({
        path, about: about.map((one) => one.path),
        sentence: `${text === 'text' ? 'Text' : 'Muted text'} ${every[text]} on ${under} ${every[under]} has a contrast of ${Math.min(ratio, READABLE - 0.1).toFixed(1)}. It needs at least ${READABLE}.`,
      });
    }
  }
  return found;
}

function light(colour) {
  const parts = [1, 3, 5].map((start) => parseInt(colour.slice(start, start + 2), 16) / 255);
  const linear = parts.map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
}

function set(value) {
  return value !== null && value !== undefined;
}
