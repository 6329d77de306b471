// SPDX-License-Identifier: Apache-2.0
/*
 * Explanation of the gate's decision about a request, for the rule tester of the console. It is
 * the same as `waiting_room/domain/gate/explanation.py`, and decides with the script that runs at the
 * edge. `explanations.json` has the cases that both have to pass. Pure: no clock, no network.
 *
 * A document is the one of an event, as the private API returns it.
 */
import decision from './decision.js';

const ADDRESS = /^https?:\/\/([^/?#]*)([^?#]*)(?:\?([^#]*))?(?:#[\s\S]*)?$/i;
const HOST = /^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]*)?$/;
const ROOM_COOKIE = /^(?:__Host-)?waiting-room[-_]/;
const WILDCARDS = /\/\*\*\/|\*\*?/g;
const MEMBERS = ['path', 'host', 'methods', 'header', 'cookie', 'user_agent']; // as encoded
const UNKNOWN_START = 1; // the document does not have the time since which the gate is open
const CLIENTS = {
  page: { 'sec-fetch-mode': ['navigate'], 'sec-fetch-dest': ['document'], accept: ['text/html'] },
  script: { 'sec-fetch-mode': ['cors'], 'sec-fetch-dest': ['empty'], accept: ['*/*'] },
};

/** Effects of a rule on a request. */
export const EFFECTS = {
  decides: 'decides',
  bypasses: 'bypasses',
  bypassed: 'bypassed', // it matches, but a bypass rule of the same event matches too
  later: 'matches, but a rule before it decides',
  none: 'does not match',
};

/** States of an event at its gate. */
export const STATES = { open: 'open to all', closed: 'closed', notOpen: 'not open yet', enforced: 'needs a session' };

/** An address that cannot be tested; the message is a sentence without a period. */
export class AddressError extends Error {}

/**
 * Return the request for an address, such as `https://www.example.com/checkout`. `headers` and
 * `cookies` are arrays of [name, value]. The path stays as it is written. Throws AddressError.
 */
export function requestOf({ address, method = 'GET', headers = [], cookies = [], userAgent = '' }) {
  const parts = ADDRESS.exec(address.replace(/^[ \t\r\n]+|[ \t\r\n]+$/g, ''));
  const host = parts ? parts[1].slice(parts[1].lastIndexOf('@') + 1) : '';
  if (!host) throw new AddressError('the address must begin with http:// or https:// and a host');
  if (!HOST.test(host)) {
    throw new AddressError('the host must be as a browser sends it: letters, digits, . - and a port');
  }
  const grouped = new Map(userAgent ? [['user-agent', [userAgent]]] : []);
  for (const [name, value] of headers) put(grouped, name.trim().toLowerCase(), value.trim());
  const kept = new Map();
  for (const [name, value] of cookies) put(kept, name, value);
  return requestWith({
    method: method.toUpperCase(),
    host,
    path: quoted(parts[2] || '/'),
    query: parts[3] === undefined ? undefined : quoted(parts[3]),
  }, grouped, kept);
}

/** Explain the decision about a request at `now` (epoch s) by `documents`, by event id. */
export function explain(request, documents, now) {
  const count = (decision.readings(request.path) || []).length;
  if (decision.isOwnPath(request.path)) {
    return { event_id: null, reason: 'the path belongs to the waiting room itself', readings: count, gate: null, rules: [] };
  }
  const rules = sortedRules(documents);
  const found = effects(rules, request);
  const decided = decision.findEvent(rules.map(encoded), request) ?? null;
  return {
    event_id: decided,
    reason: reasonOf(request, found, decided, count),
    readings: count,
    gate: decided === null ? null : gateOf(request, documents[decided], decided, found, now),
    rules: found,
  };
}

function put(values, name, value) {
  if (values.has(name)) values.get(name).push(value);
  else values.set(name, [value]);
}

function requestWith(members, headers, cookies) {
  return {
    ...members,
    headers: (name) => headers.get(name) ?? [],
    cookies: (name) => cookies.get(name) ?? [],
    given: { headers, cookies },
  };
}

/** Encode what is not printable ASCII, as a browser does. */
function quoted(text) {
  try {
    return text.replace(/[^\x21-\x7e]+/g, encodeURIComponent);
  } catch {
    throw new AddressError('the address has a character that cannot be sent');
  }
}

/** Rules of all documents with the most specific first, as `sort_rules` in Python orders them. */
function sortedRules(documents) {
  const rules = Object.entries(documents).flatMap(([eventId, { protect, bypass }]) => [
    ...protect.map((rule) => ({ eventId, isBypass: false, rule })),
    ...bypass.map((rule) => ({ eventId, isBypass: true, rule })),
  ]);
  const keyed = rules.map((one) => [sortKey(one), one]);
  keyed.sort(([a], [b]) => {
    const at = a.findIndex((part, index) => part !== b[index]);
    if (at < 0) return 0;
    return a[at] < b[at] ? -1 : 1;
  });
  return keyed.map(([, one]) => one);
}

function sortKey({ eventId, isBypass, rule }) {
  const literal = (rule.path ?? '').replace(WILDCARDS, '').replace(/\/+$/, '').length;
  const members = Object.entries(rule)
    .map(([name, value]) => `${name}=${Array.isArray(value) ? `['${value.join("', '")}']` : value}`);
  return [rule.host === undefined, -literal, -members.length, eventId, isBypass, ...members.sort()];
}

/** The rule as the store of the edge has it. */
function encoded({ eventId, isBypass, rule }) {
  return [eventId, isBypass ? 1 : 0, ...MEMBERS.map((name) => rule[name] ?? 0)];
}

function effects(rules, request) {
  const found = decision.readings(request.path);
  const matching = rules.map((one) => decision.matches(encoded(one), request, found));
  const bypassed = rules.filter(({ isBypass }, at) => isBypass && matching[at]).map(({ eventId }) => eventId);
  let decided = false;
  return rules.map((one, at) => {
    const { eventId, isBypass, rule } = one;
    let effect = EFFECTS.none;
    if (matching[at] && isBypass) effect = EFFECTS.bypasses;
    else if (matching[at] && bypassed.includes(eventId)) effect = EFFECTS.bypassed;
    else if (matching[at]) {
      effect = decided ? EFFECTS.later : EFFECTS.decides;
      decided = true;
    }
    const misses = matching[at] ? [] : Object.keys(rule)
      .filter((name) => !decision.matches(encoded({ ...one, rule: { [name]: rule[name] } }), request, found));
    return { event_id: eventId, list: isBypass ? 'bypass' : 'protect', rule, effect, misses };
  });
}

function reasonOf(request, found, decided, count) {
  if (decided === null) {
    const names = found.filter(({ effect }) => effect === EFFECTS.bypassed).map((one) => one.event_id);
    const events = [...new Set(names)].sort().join(', ');
    return events
      ? `a bypass rule lets it pass at ${events}, and no other event protects it`
      : 'no rule protects it';
  }
  let ways = count === 1 ? '' : `, in one of ${count} readings of the path`;
  if (count === 0) ways = ', because the path cannot be read';
  const isPreflight = request.method === 'OPTIONS'
    && request.headers('access-control-request-method').length && request.headers('origin').length;
  return `${decided} protects it${ways}${isPreflight ? '; the gate answers this CORS preflight itself' : ''}`;
}

/** The gate of the event that protects a request: state, and what a visitor without a session gets. */
function gateOf(request, document, eventId, rules, now) {
  const { rule } = rules.find(({ effect }) => effect === EFFECTS.decides);
  const one = encoded({ eventId, isBypass: false, rule });
  const found = decision.readings(request.path) || [];
  const state = storedState(document);
  const outcomes = Object.keys(CLIENTS).map((client) => [client, outcome(client, request, eventId, state, now)]);
  return {
    reading: found.find((reading) => decision.matches(one, request, [reading])) ?? null,
    state: stateAt(state, now),
    open_from: state.p > UNKNOWN_START ? state.p : 0,
    open_until: state.p ? state.o : 0,
    opens_at: state.a,
    when_unreachable: document.session.when_unreachable,
    without_session: Object.fromEntries(outcomes),
  };
}

/** The state of an event as the store of the edge has it, as `gate_event` in Python makes it. */
function storedState({ mode, schedule, control, site, session }) {
  const closed = control.closed_at !== null;
  const closesAt = schedule.closes_at ?? 0;
  const passesAfter = schedule.after === 'pass_through';
  let openFrom = 0;
  if (mode === 'pass_through') openFrom = UNKNOWN_START;
  else if (closesAt && passesAfter) openFrom = closesAt;
  return {
    g: 0,
    r: session.renew_every,
    a: schedule.opens_at ?? 0,
    z: passesAfter ? 0 : closesAt,
    x: closed ? 1 : 0,
    p: closed ? 0 : openFrom,
    o: passesAfter ? 0 : closesAt,
    c: site.origins,
  };
}

function stateAt(state, now) {
  if (state.p && state.p <= now && (!state.o || now < state.o)) return STATES.open;
  if (state.x || (state.z && state.z <= now)) return STATES.closed;
  return now < state.a ? STATES.notOpen : STATES.enforced;
}

/** What a client of this kind gets without a session: status 0 if the request goes to the site. */
function outcome(client, request, eventId, state, now) {
  const headers = new Map([...request.given.headers, ...Object.entries(CLIENTS[client])]);
  const cookies = new Map([...request.given.cookies].filter(([name]) => !ROOM_COOKIE.test(name)));
  const found = decision.judge(requestWith(request, headers, cookies), eventId, state, undefined, now, undefined, true);
  return { status: found.pass ? 0 : found.status, reason: found.reason };
}
