// SPDX-License-Identifier: Apache-2.0
/*
 * CloudFront Function (viewer response) for a protected host. It adds `to` and `note` to the shared
 * response of the entrance, and expires the session cookies when the site ends a session. It never throws.
 *
 * `event.request` may be the request as the viewer sent it, with the room's cookies, or as the gate
 * changed it, with the session header. Each is enough.
 */
const ENTER = '/_waiting-room/enter';
const END = 'waiting-room-session';

/** A parameter, encoded as it was sent, after `&`; empty without one. */
function sent(request, name) {
  let value = '';
  if (typeof request.rawQueryString === 'function') {
    const pairs = (request.rawQueryString() || '').split('&').filter((pair) => pair.indexOf(name + '=') === 0);
    value = pairs.length ? /^[\x21-\x7e]*/.exec(pairs[0].slice(name.length + 1))[0] : '';
  } else {
    const given = request.querystring && request.querystring[name];
    value = given && /^[\x21-\x25\x27-\x7e]*$/.test(given.value) ? given.value : '';
  }
  return value && '&' + name + '=' + value;
}

/** Whether a response is for one visitor only. */
function isPrivate(headers) {
  const caching = headers['cache-control'];
  const values = caching ? (caching.multiValue || [caching]).map((one) => one.value).join(',') : '';
  return values.split(',').some((one) => /^(no-store|private)$/.test(one.split('=')[0].trim().toLowerCase()));
}

// eslint-disable-next-line no-unused-vars
function handler(event) {
  const request = event.request;
  const response = event.response;
  const headers = response.headers;
  const end = headers[END];
  const location = headers.location;
  if (request.uri === ENTER && location) {
    const note = sent(request, 'note');
    const added = sent(request, 'to') + (/=(form|address)$/.test(note) ? note : '');
    if (location.value.indexOf('?') >= 0) location.value += added;
  }
  if (end) {
    delete headers[END];
    if (String(end.value).trim().toLowerCase() === 'end' && isPrivate(headers)) {
      response.cookies = response.cookies || {};
      const session = request.headers['x-waiting-room-session'];
      const names = Object.keys(request.cookies);
      if (session) names.push('__Host-waiting-room-' + session.value.split(':')[0]);
      names.forEach((name) => {
        if (!/^__Host-waiting-room(_renewing)?-[A-Za-z0-9_.-]+$/.test(name)) return;
        const attributes = 'Secure; HttpOnly; SameSite=None; Path=/; Max-Age=0';
        response.cookies[name] = { value: '', attributes: attributes };
      });
    }
  }
  return response;
}
