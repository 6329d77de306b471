// SPDX-License-Identifier: Apache-2.0
/** Texts of the rule tester: input of the operator, and the description of an explanation. */

import { EFFECTS, STATES } from '../../../edge/explanation.js';
import { count, dateTime, some } from '../page/format.js';
import { PHASES, nameOf } from '../events/events.js';

const LONGEST_PATH = 120; // characters of the path in the log
const SHOWN_SECRET = 4; // first characters of a header's or cookie's value that a rule shows
const PLACEHOLDER = 'https://site.example';
export const MAX_ROWS = 100;
/** What the number of a row means. */
export const ORDER = 'The gate compares the rules in the order of their numbers: 1 is compared first. Rules that match are listed first.';

/** Parse lines of a name, a separator and a value: `{pairs}`, or `{wrong}` with the number of a line. */
export function parsePairs(text, separator) {
  const pairs = [];
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const at = line.indexOf(separator);
    const name = line.slice(0, Math.max(at, 0)).trim();
    if (name) pairs.push([name, line.slice(at + 1).trim()]);
    else if (line.trim()) return { wrong: index + 1 };
  }
  return { pairs };
}

/** Return whether an address is a path only. */
export function isPath(address) {
  return /^\s*\/(?!\/)/.test(address);
}

/**
 * Return the site that a path is tested at, and why, as `{site, why}`: the first origin of an event, its
 * first host, or a placeholder. `event` is null if its document cannot be read.
 */
export function siteOf(event) {
  const [origin] = event?.site?.origins ?? [];
  const [host] = event?.site?.hosts ?? [];
  if (origin) return { site: origin, why: `the first origin of ${nameOf(event)}` };
  if (host) return { site: `https://${host}`, why: `the first host of ${nameOf(event)}` };
  return { site: PLACEHOLDER, why: 'a placeholder: a rule with a host does not match it' };
}

/** Describe how many rules are shown. */
export function rulesText(number) {
  return `Show ${number > MAX_ROWS ? `${count(MAX_ROWS)} of ${count(number)} rules` : some(number, 'rule')}`;
}

/** Describe the request for the log: host and path, without the query. */
export function requestText({ method, host, path }) {
  const shown = path.length > LONGEST_PATH ? `${path.slice(0, LONGEST_PATH)}…` : path;
  return `${method} ${host}${shown}`;
}

/**
 * Describe which event decides, in a sentence. `documents`: event id → document. `unread`: ids of
 * events that were not read.
 */
export function resultText(explanation, documents, unread = []) {
  const { event_id: eventId, gate, rules, reason } = explanation;
  if (eventId === null && unread.length) return 'No event that these keys may read protects it.';
  if (Object.keys(documents).length === 0) {
    return 'Open to all: no event is behind a gate. An event is behind a gate when its member protect has a rule.';
  }
  if (eventId === null && rules.length === 0) return `Open to all: ${reason}.`;
  if (eventId === null) {
    const names = bypassing(rules).map((id) => nameOf(documents[id])).join(', ');
    return names
      ? `Open to all: a bypass rule of ${names} lets it pass, and no other event protects it.`
      : 'Open to all: no rule protects it.';
  }
  const name = nameOf(documents[eventId]);
  if (gate.state === STATES.open) return `Open to all now: ${name} protects it, and lets all visitors pass.`;
  if (gate.state === STATES.closed) return `Protected by ${name}, which is closed: no new visitor gets a session.`;
  if (gate.state === STATES.notOpen) return `Protected by ${name}, which is not open yet.`;
  return `Protected by ${name}: a visitor needs a session.`;
}

/**
 * Describe an explanation as pairs of name and value. `unread`: ids of events that were not read.
 * `assumed`: the site of a request without a host, or null.
 */
export function factsOf(request, explanation, documents, unread = [], assumed = null) {
  const { event_id: eventId, gate, rules, readings } = explanation;
  const query = request.query === undefined ? '' : `?${request.query}`;
  const facts = [['Request', `${request.method} ${request.host}${request.path}${query}`]];
  if (assumed) facts.push(['Site of the path', `${assumed.site} (${assumed.why})`]);
  const deciding = rules.filter(({ effect }) => effect === EFFECTS.decides);
  const shown = eventId === null ? rules.filter(suspends(bypassing(rules))) : deciding;
  for (const one of shown) facts.push([one.list === 'bypass' ? 'Bypass rule' : 'Deciding rule', ruleText(one.rule)]);
  if (gate !== null) {
    facts.push(['Matching reading', readingText(gate.reading, readings, request.path)]);
    facts.push(['State of the event', stateText(gate, documents[eventId])]);
    facts.push(['Page without a session', outcomeText(gate.without_session.page)]);
    facts.push(['Script without a session', outcomeText(gate.without_session.script)]);
    if (gate.when_unreachable === 'open') facts.push(['While the room does not respond', 'The watchdog opens the gate']);
  }
  if (unread.length) {
    facts.push(['Not checked', `${unread.join(', ')}: these keys may not read all events, and another event may protect the address`]);
  }
  return facts;
}

/** Rows of the table: number, event, list, rule, effect. Matching rules are first, at most MAX_ROWS. */
export function rowsOf(rules) {
  const numbered = rules.map((one, index) => [one, index + 1]);
  const matching = numbered.filter(([{ effect }]) => effect !== EFFECTS.none);
  const others = numbered.filter(([{ effect }]) => effect === EFFECTS.none);
  return [...matching, ...others].slice(0, MAX_ROWS).map(([one, number]) => [
    count(number), one.event_id, one.list, ruleText(one.rule), effectText(one),
  ]);
}

/** Describe a rule: "path /checkout, methods GET POST". Of a secret it shows the first characters. */
export function ruleText(rule) {
  return Object.entries(rule).map(([name, value]) => {
    if (Array.isArray(value)) return `${name} ${value.join(' ')}`;
    if (name === 'header') return `${name} ${hidden(value, ':')}`;
    return `${name} ${name === 'cookie' ? hidden(value, '=') : value}`;
  }).join(', ');
}

function hidden(text, separator) {
  const at = text.indexOf(separator);
  if (at < 0) return text;
  const value = text.slice(at + 1).trim();
  return `${text.slice(0, at + 1)}${separator === ':' ? ' ' : ''}${value.length > 2 * SHOWN_SECRET ? `${value.slice(0, SHOWN_SECRET)}…` : value}`;
}

/** Events whose bypass rule suspends a rule that matches. */
function bypassing(rules) {
  return [...new Set(rules.filter(({ effect }) => effect === EFFECTS.bypassed).map((one) => one.event_id))];
}

function suspends(eventIds) {
  return (one) => one.effect === EFFECTS.bypasses && eventIds.includes(one.event_id);
}

function readingText(reading, readings, path) {
  if (readings === 0) return 'none: the path cannot be read, so it counts as the path of every rule';
  if (readings === 1) return `${path} (the only one)`;
  return `${reading} (one of ${count(readings)})`;
}

function stateText(gate, { phase }) {
  const words = [sentence(gate.state)];
  if (gate.state === STATES.open && gate.open_until) words.push(`until ${at(gate.open_until)}`);
  if (gate.state === STATES.notOpen) words.push(`opens ${at(gate.opens_at)}`);
  if (gate.state !== STATES.open && gate.open_from) words.push(`open to all from ${at(gate.open_from)}`);
  return `${words.join(', ')} (phase: ${(PHASES[phase]?.[0] ?? phase).toLowerCase()})`;
}

function outcomeText({ status, reason }) {
  if (status === 0) return 'Goes to the site';
  if (status === 302) return `Redirect to the waiting room (302, ${reason})`;
  if (status === 303) return `Redirect to the waiting room, without the form (303, ${reason})`;
  if (reason === 'crawler') return 'Asked to come back later (503, crawler)';
  if (reason === 'preflight') return status === 204 ? 'The gate allows the CORS preflight (204)' : 'The gate refuses the CORS preflight (403)';
  return `Refused (${status}, ${reason})`;
}

function effectText({ effect, misses }) {
  if (effect === EFFECTS.bypasses) return 'Lets it pass';
  if (effect === EFFECTS.bypassed) return 'Matches, but a bypass rule of this event lets it pass';
  return misses.length ? `${sentence(effect)}: ${misses.join(', ')}` : sentence(effect);
}

function at(time) {
  return dateTime(time * 1000);
}

function sentence(text) {
  return text[0].toUpperCase() + text.slice(1);
}
