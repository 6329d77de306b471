// SPDX-License-Identifier: Apache-2.0
/*
 * Decision of the gate at the edge: the same as `waiting_room/domain/gate` in Python.
 * `vectors.json` has the cases that both have to pass.
 *
 * Pure: no import, no clock, no await. A request is { method, host, path, query, headers, cookies }.
 * `path` and `query` are as they were sent; `query` is undefined without "?". `headers(name)` and
 * `cookies(name)` return arrays. `hmac(key, text)` returns HMAC-SHA256 in base64url.
 * Language: what CloudFront Functions (cloudfront-js-2.0) and NGINX JavaScript have in common.
 */
const OWN = '/_waiting-room/';
const MAX_PATH = 2048;
const MAX_READINGS = 96;
const MAX_CREDENTIAL = 256;
const MAX_TO = 6000;
const MAX_SESSIONS = 2;
const POST_GRACE = 60;
const COOKIE_LIFE = 86400;
const PROBE_LIFE = 3600;
const RETRY_AFTER = 10;
const MAX_RETRY_AFTER = 600;
const WILDCARDS = { '*': '[^/]*', '**': '[\\s\\S]*', '/**/': '/(?:[\\s\\S]*/)?' };
const MESSAGES = {
  no_session: 'this address needs a session of the waiting room',
  session_over: 'the session has expired',
  session_ended: 'the session belongs to an earlier queue of this event',
  not_open: 'the event is not open yet',
  closed: 'the event is closed',
  unavailable: 'the gate cannot decide now; try again',
};

function decoded(path) {
  return path.replace(/%([0-9A-Fa-f]{2})/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
}

function withSlashes(path) {
  return path.replace(/\\/g, '/');
}

function withoutParameters(path) {
  return path.replace(/;[^/]*/g, '') || '/';
}

function withoutQuery(path) {
  return path.split('?')[0] || '/';
}

function withoutFragment(path) {
  return path.split('#')[0] || '/';
}

function withoutHost(path) {
  return path.replace(/^\/\/[^/]*/, '') || '/';
}

function withoutDoubledSlashes(path) {
  return path.replace(/\/\/+/g, '/');
}

function withoutDots(path) {
  const parts = [];
  path.split('/').slice(1).forEach((part) => {
    if (part === '..') parts.pop();
    else if (part !== '.') parts.push(part);
  });
  if (/\/\.\.?$/.test(path)) parts.push('');
  return '/' + parts.join('/');
}

// Named functions: NGINX JavaScript 0.7.9 turns small numbers of the whole file into texts where an
// array literal contains a function expression.
const STEPS = [
  decoded,
  withSlashes,
  withoutParameters,
  withoutQuery,
  withoutFragment,
  withoutHost,
  withoutDoubledSlashes,
  withoutDots,
];

/** All readings of a path; undefined for a path that cannot be read. */
function readings(path) {
  const found = [path];
  for (let at = 0; at < found.length; at++) {
    const text = found[at];
    // eslint-disable-next-line no-control-regex
    if (text[0] !== '/' || text.length > MAX_PATH || /[\x00-\x1f\x7f\xc0\xc1]/.test(text)) return undefined;
    if (/[%\\;?#]|\/\/|\/\.\.?(?:\/|$)/.test(text)) {
      STEPS.forEach((step) => {
        const reading = step(text);
        if (found.indexOf(reading) < 0) found.push(reading);
      });
    }
    if (found.length > MAX_READINGS) return undefined;
  }
  return found;
}

function fold(text) {
  return text
    .replace(/[A-Z]/g, (letter) => letter.toLowerCase())
    .replace(/\xc5\xbf/g, 's')
    .replace(/\xe2\x84\xaa/g, 'k');
}

function pathPattern(path) {
  const escaped = path
    .replace(/\/+$/, '')
    .replace(/[.+?^${}()|[\]\\-]/g, '\\$&')
    .replace(/\/\*\*\/|\*\*?/g, (found) => WILDCARDS[found]);
  return new RegExp('^' + escaped + '(/[\\s\\S]*)?$');
}

function has(values, value) {
  return value === undefined ? values.length > 0 : values.indexOf(value) >= 0;
}

/** Split at the first separator: [before, after]; after is undefined without a separator. */
function split(text, separator) {
  const parts = text.split(separator);
  return [parts[0], parts.length > 1 ? parts.slice(1).join(separator) : undefined];
}

function first(values) {
  return values.length ? values[0] : '';
}

/** A rule: [event, bypass, path, host, methods, header, cookie, user agent]; 0 or absent: any. */
function matches(rule, request, found) {
  const bypass = rule[1];
  const methods = rule[4];
  if (methods) {
    const method = bypass ? request.method : request.method.toUpperCase();
    const named = methods.indexOf(method === 'HEAD' ? 'GET' : method) >= 0 || methods.indexOf(method) >= 0;
    const overridden = ['x-http-method-override', 'x-http-method', 'x-method-override'].some(
      (name) => request.headers(name).length,
    );
    if (bypass ? overridden || !named : !overridden && !named) return false;
  }
  if (rule[2]) {
    if (bypass) {
      const pattern = pathPattern(rule[2]);
      if (!found || !found.every((one) => pattern.test(one))) return false;
    } else if (found) {
      const pattern = pathPattern(fold(rule[2]));
      if (!found.some((one) => pattern.test(fold(one)))) return false;
    }
  }
  if (rule[3] && fold(request.host).replace(/\.?(:\d*)?$/, '') !== rule[3]) return false;
  if (rule[5]) {
    const header = split(rule[5], ':');
    const value = header[1] === undefined ? undefined : header[1].trim();
    if (!has(request.headers(header[0].trim().toLowerCase()), value)) return false;
  }
  if (rule[6]) {
    const cookie = split(rule[6], '=');
    if (!has(request.cookies(cookie[0]), cookie[1])) return false;
  }
  return !rule[7] || fold(first(request.headers('user-agent'))).indexOf(fold(rule[7])) >= 0;
}

function isOwnPath(path) {
  const found = path.indexOf(OWN) === 0 ? readings(path) : undefined;
  return !!found && found.length === 1;
}

/** The event whose rule protects a request; undefined if no rule does. */
function findEvent(rules, request) {
  const found = readings(request.path);
  const bypassed = rules.filter((rule) => rule[1] && matches(rule, request, found)).map((rule) => rule[0]);
  const decides = rules.filter(
    (rule) => !rule[1] && bypassed.indexOf(rule[0]) < 0 && matches(rule, request, found),
  )[0];
  if (decides && typeof decides[0] !== 'string') throw new Error('invalid rule');
  return decides && decides[0];
}

function own(object, name) {
  return Object.prototype.hasOwnProperty.call(object, name) ? object[name] : undefined;
}

/** Compare two texts in a time that depends on their length only. */
function same(one, other) {
  let difference = one.length ^ other.length;
  for (let at = 0; at < one.length; at++) difference |= one.charCodeAt(at) ^ other.charCodeAt(at);
  return difference === 0;
}

function label(kind, content) {
  return 'waiting-room/' + kind + '/1:' + content;
}

function signed(kind, content, keys, hmac) {
  return content + ':' + hmac(own(keys.keys, keys.signing), label(kind, content));
}

/** The fields of a credential with a valid MAC; otherwise undefined. */
function verified(kind, text, count, keys, hmac) {
  const fields = text.split(':');
  if (text.length > MAX_CREDENTIAL || fields.length !== count || fields[0] !== '1') return undefined;
  const key = own(keys.keys, fields[1]);
  if (key === undefined || !/^[\x20-\x7e]*$/.test(text)) return undefined;
  const content = text.slice(0, text.lastIndexOf(':'));
  if (!same(hmac(key, label(kind, content)), fields[count - 1])) return undefined;
  return fields.slice(3, -1).every((field) => /^[0-9a-z]{1,10}$/.test(field)) ? fields : undefined;
}

function number(field) {
  return parseInt(field, 36);
}

function cookieName(kind, event, secure) {
  return (secure ? '__Host-' : '') + 'waiting-room' + (kind && '_' + kind) + '-' + event;
}

function isNavigation(request) {
  const header = (name) => first(request.headers(name));
  if ((header('sec-purpose') + header('purpose')).indexOf('prefetch') >= 0) return false;
  const mode = header('sec-fetch-mode');
  if (mode) return mode === 'navigate' && header('sec-fetch-dest') === 'document';
  if (request.headers('sec-websocket-key').length || request.headers('x-requested-with').length) return false;
  return header('accept').indexOf('text/html') >= 0;
}

function isRead(request) {
  return request.method === 'GET' || request.method === 'HEAD';
}

function pass(reason, session) {
  return { pass: true, reason: reason, session: session || '' };
}

function respond(reason, status, headers, cookies, body) {
  headers['cache-control'] = 'no-store';
  return { pass: false, reason: reason, status: status, headers: headers, cookies: cookies || [], body: body || null };
}

/**
 * The address of the entrance; `request` is absent for a form, whose address does not lead back.
 * `note` is what the room has to show: a form that was not received, an address that is not whole.
 */
function entrance(route, event, request) {
  const address = OWN + route + '?event=' + event;
  if (!request) return address + '&note=form';
  const path = encodeURIComponent(request.path);
  const whole = path + (request.query === undefined ? '' : encodeURIComponent('?' + request.query));
  if (whole.length <= MAX_TO) return address + '&to=' + whole;
  return address + '&to=' + (path.length <= MAX_TO ? path : '%2F') + '&note=address';
}

function cors(request, state) {
  const origin = first(request.headers('origin'));
  if ((state.c || []).indexOf(origin) < 0) return undefined;
  return { 'access-control-allow-origin': origin, 'access-control-allow-credentials': 'true', vary: 'Origin' };
}

function refuse(request, event, reason, state, keys, now, hmac, secure) {
  if (/bot|crawl|spider|slurp/i.test(first(request.headers('user-agent'))) && isRead(request))
    return respond('crawler', 503, { 'retry-after': String(MAX_RETRY_AFTER) });
  if (isNavigation(request)) {
    const to = entrance('enter', event, isRead(request) ? request : undefined);
    const found = respond(reason, isRead(request) ? 302 : 303, { location: to });
    if (keys) {
      const probe = signed('probe', ['1', keys.signing, event, now.toString(36)].join(':'), keys, hmac);
      found.cookies.push([cookieName('probe', event, secure), probe, PROBE_LIFE]);
    }
    return found;
  }
  const headers = cors(request, state) || {};
  headers['content-type'] = 'application/json';
  return respond(reason, reason === 'unavailable' ? 503 : 403, headers, [], {
    error: MESSAGES[reason],
    reason: reason,
    event_id: event,
    waiting_room: (secure ? 'https://' : 'http://') + request.host + OWN + '?event=' + event,
    retry_after: Math.min(Math.max(RETRY_AFTER, (state.a || 0) - now), MAX_RETRY_AFTER),
  });
}

function preflight(request, state) {
  const headers = cors(request, state);
  if (!headers) return respond('preflight', 403, {});
  headers['access-control-allow-methods'] = first(request.headers('access-control-request-method'));
  headers['access-control-allow-headers'] = first(request.headers('access-control-request-headers'));
  headers['access-control-max-age'] = '600';
  return respond('preflight', 204, headers);
}

/** Decide about a request with a verified session; undefined if the session is over. */
function withSession(request, state, fields, value, keys, now, hmac, secure) {
  const event = fields[2];
  const expires = number(fields[6]);
  const id = [event, number(fields[3]), number(fields[4])].join(':');
  const navigates = isRead(request) && isNavigation(request);
  const renew = (cookies) => respond('renew', 302, { location: entrance('renew', event, request) }, cookies);
  if (now >= expires) {
    if (navigates) return renew([]);
    const writes = !isRead(request) && request.method !== 'OPTIONS';
    return writes && now < expires + POST_GRACE ? pass('grace', id) : undefined;
  }
  if (!navigates || now < number(fields[5]) + (state.r || 0)) return pass('session', id);
  const name = cookieName('renewing', event, secure);
  const marker = hmac(own(keys.keys, fields[1]), label('renewing', value.slice(0, value.lastIndexOf(':'))));
  const marked = request.cookies(name).slice(0, MAX_SESSIONS).some((one) => same(one, marker));
  return marked ? pass('renewing', id) : renew([[name, marker, expires - now]]);
}

/** Decide about a request that a rule of an event protects; an event without a state is closed. */
function judge(request, event, state, keys, now, hmac, secure) {
  if (!state) return refuse(request, event, 'closed', {}, undefined, now, hmac, secure);
  const isPreflight = request.headers('access-control-request-method').length && request.headers('origin').length;
  if (request.method === 'OPTIONS' && isPreflight) return preflight(request, state);
  const closed = state.x || (state.z && state.z <= now);
  if (now < (state.f || 0) || (state.p && state.p <= now && (!state.o || now < state.o))) return pass('open');
  if (now < (state.w || 0) && (state.a || 0) <= now && !closed) return pass('open');
  const values = request.cookies(cookieName('', event, secure)).slice(0, MAX_SESSIONS);
  let reason = 'no_session';
  for (let at = 0; at < values.length; at++) {
    const fields = verified('session', values[at], 8, keys, hmac);
    if (!fields || fields[2] !== event) continue;
    if (number(fields[3]) < state.g) {
      reason = 'session_ended';
      continue;
    }
    const found = withSession(request, state, fields, values[at], keys, now, hmac, secure);
    if (found) return found;
    reason = 'session_over';
  }
  if (reason === 'no_session') {
    if (closed) reason = 'closed';
    else if (now < (state.a || 0)) reason = 'not_open';
  }
  return refuse(request, event, reason, state, keys, now, hmac, secure);
}

function parameters(query) {
  const found = {};
  query.split('&').forEach((pair) => {
    const parts = split(pair, '=');
    if (own(found, parts[0]) !== undefined) return;
    try {
      found[parts[0]] = decodeURIComponent(parts[1] || '');
    } catch (_) {
      found[parts[0]] = '';
    }
  });
  return found;
}

/** Set the session cookie of a valid ticket; without one, only lead to the address. */
function handOver(request, keys, now, hmac, secure) {
  const given = parameters(request.query || '');
  const to = own(given, 'to') || '';
  const headers = { location: /^\/(?![/\\])[\x21-\x7e]*$/.test(to) ? to : '/' };
  const fields = verified('handover/' + request.host, own(given, 'ticket') || '', 9, keys, hmac);
  if (!fields || now >= number(fields[7]) || fields[2] !== own(given, 'event')) return respond('no_ticket', 302, headers);
  const content = ['1', keys.signing].concat(fields.slice(2, 7)).join(':');
  const life = Math.max(0, number(fields[6]) - now) + COOKIE_LIFE;
  const cookie = [cookieName('', fields[2], secure), signed('session', content, keys, hmac), life];
  return respond('handover', 302, headers, [cookie]);
}

export default { isOwnPath, findEvent, judge, handOver, readings, matches };
