// SPDX-License-Identifier: Apache-2.0
/** What an operator should know before saving: a document can be valid, and still not do what they expect. */

import { at, same } from './changes.js';

const RATE = ['admission.per_minute', 'admission.burst', 'admission.min_per_minute'];
const STRATEGY = 'admission.strategy';
// What the API keeps of a block of HTML (`adapters/page_html.py`).
const TAGS = ['a', 'abbr', 'b', 'blockquote', 'br', 'caption', 'code', 'dd', 'del', 'dl', 'dt', 'em', 'h2', 'h3', 'h4', 'hr', 'i', 'img',
  'ins', 'li', 'ol', 'p', 's', 'small', 'span', 'strong', 'sub', 'sup', 'table', 'tbody', 'td', 'th', 'thead', 'tr', 'u', 'ul'];
const ATTRIBUTES = {
  '*': ['dir', 'lang', 'title'], a: ['href', 'target', 'rel'], img: ['alt', 'height', 'src', 'width'], ol: ['start'],
  td: ['colspan', 'rowspan'], th: ['colspan', 'rowspan', 'scope'],
};
const TAG = /<([a-z][a-z0-9-]*)((?:\s+[^\s=>/]+(?:\s*=\s*(?:"[^"]*"|'[^']*'|[^\s>]+))?)*)/gi;
const ATTRIBUTE = /([^\s=>/]+)(?:\s*=\s*(?:"[^"]*"|'[^']*'|[^\s>]+))?/g;

/**
 * Return warnings about a document as sentences. `defaults` has the default values. `changed`: the
 * paths that differ, for warnings about these only; null for all.
 */
export function warningsOf(document, defaults, changed = null) {
  const concerns = (...paths) => changed === null || paths.some((path) => changed.includes(path));
  const differs = (path) => concerns(path, STRATEGY) && !same(at(document, path), at(defaults, path));
  const { strategy } = document.admission;
  const words = [];
  const without = (what) => words.push(`${what} has no effect with the strategy ${strategy}.`);
  if (strategy === 'manual' && RATE.some(differs)) without('The rate');
  if (strategy === 'active' && RATE.slice(0, 1).some(differs)) without('The rate');
  if (['manual', 'rate'].includes(strategy) && differs('admission.max_active')) without('The limit of active visitors');
  if (strategy === 'manual' && differs('admission.alarm')) without('The alarm');
  if (concerns('protect')) {
    words.push(document.protect.length
      ? 'Other events may protect the same addresses: test them with the rule tester.'
      : 'No address is protected, so no site behind the gate leads visitors to this event.');
  }
  if (concerns('page.html')) words.push(...removedText(document.page.html));
  return words;
}

/** Describe what the API removes from a block of HTML; empty if it keeps everything. */
function removedText(html) {
  const others = new Set();
  let scripts = /\s(href|src)\s*=\s*["']?\s*javascript:/i.test(html);
  for (const [, name, rest] of html.matchAll(TAG)) {
    const tag = name.toLowerCase();
    if (tag === 'script') scripts = true;
    if (!TAGS.includes(tag)) others.add(`<${tag}>`);
    for (const [, attribute] of rest.toLowerCase().matchAll(ATTRIBUTE)) {
      if (attribute.startsWith('on')) scripts = true;
      else if (TAGS.includes(tag) && ![...ATTRIBUTES['*'], ...ATTRIBUTES[tag] ?? []].includes(attribute)) others.add(attribute);
    }
  }
  others.delete('<script>');
  return [
    ...(scripts ? ['The room removes scripts from the block of HTML.'] : []),
    ...(others.size ? [`The room removes from the block of HTML: ${[...others].join(', ')}.`] : []),
  ];
}
