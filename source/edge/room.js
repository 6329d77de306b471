// SPDX-License-Identifier: Apache-2.0
/*
 * CloudFront Function (viewer request) for the paths of the room on a protected host, without
 * `/_waiting-room/handover`, which the gate handles. It never throws.
 *
 * The room gets its path without the prefix, the host of the site, the client address, one of two
 * classes of `Accept`, which may be in a cache key, and `sec-purpose` for each kind of prefetch. Only
 * the paths in WITH_COOKIES get cookies: those of the room and of AWS WAF. The response of `GET
 * enter` is shared, so a form that is sent to `enter` goes on to `join`. The waiting page leads to
 * `wait` without event and destination when scripts are off: they are in the referrer.
 *
 * A gate in another web server sends requests here for a site of its own. It names the host of that
 * site in `x-waiting-room-host`. The name changes only where the response leads the same visitor, and
 * no page can make a browser send it to another site. It counts on the paths that nothing caches.
 *
 * The build puts `setAddress` before it.
 */
const PREFIX = '/_waiting-room';
const HAS_EVENT = /(^|&)event=./;
const WITH_COOKIES = /^\/(join|wait|session|renew|leave)$/;
const JSON_TYPES = ['application/json', 'application/*', '*/*'];
const HTML_TYPES = ['text/html', 'text/*', '*/*'];
const SITE_HOST = /^[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?$/;
const MAX_HEADER = 8192;

/** The quality of the first of these types that `Accept` names. */
function quality(qualities, names) {
  const named = names.filter((name) => Object.prototype.hasOwnProperty.call(qualities, name));
  return named.length ? qualities[named[0]] : 0;
}

/** The same as `prefers_json` of `waiting_room/domain/gate/clients.py`. */
function prefersJson(accept) {
  const qualities = {};
  accept.slice(0, MAX_HEADER).toLowerCase().split(',').forEach((part) => {
    const parts = part.split(';');
    const name = parts[0].trim();
    if (Object.prototype.hasOwnProperty.call(qualities, name)) return;
    const given = parts
      .slice(1)
      .map((one) => /^\s*q\s*=\s*([01](?:\.[0-9]{0,3})?)\s*$/.exec(one))
      .filter((one) => one);
    qualities[name] = given.length ? Math.min(1, Number(given[0][1])) : 1;
  });
  return quality(qualities, JSON_TYPES) > quality(qualities, HTML_TYPES);
}

function header(headers, name) {
  const found = headers[name];
  if (!found) return '';
  return found.multiValue ? found.multiValue.map((one) => one.value).join(',') : found.value;
}

function redirected(status, location) {
  return { statusCode: status, headers: { location: { value: location }, 'cache-control': { value: 'no-store' } } };
}

// eslint-disable-next-line no-unused-vars
function handler(event) {
  const request = event.request;
  const headers = request.headers;
  const path = request.uri.indexOf(PREFIX + '/') === 0 ? request.uri.slice(PREFIX.length) : request.uri;
  const given = header(headers, 'x-waiting-room-host');
  const host = WITH_COOKIES.test(path) && SITE_HOST.test(given) ? given : header(headers, 'host');
  const query = typeof request.rawQueryString === 'function' ? request.rawQueryString() || '' : '';
  const purposes = header(headers, 'sec-purpose') + header(headers, 'purpose') + header(headers, 'x-moz');
  if (event.viewer) setAddress(event);
  delete headers['x-waiting-room-session'];
  headers['x-waiting-room-host'] = { value: host };
  headers.accept = { value: prefersJson(header(headers, 'accept')) ? 'application/json' : 'text/html' };
  if (/prefetch|prerender/i.test(purposes)) headers['sec-purpose'] = { value: 'prefetch' };
  request.uri = path;
  if (request.uri === '/enter' && request.method === 'POST') {
    return redirected(307, PREFIX + '/join' + (query ? '?' + query : ''));
  }
  if (request.uri === '/wait' && !HAS_EVENT.test(query)) {
    const page = /^https?:\/\/([^/]+)\/_waiting-room\/[^?#]*\?([\x21\x24-\x7e]+)$/.exec(header(headers, 'referer'));
    if (page && page[1] === host && HAS_EVENT.test(page[2])) return redirected(302, PREFIX + '/wait?' + page[2]);
  }
  const kept = WITH_COOKIES.test(request.uri) ? /^((__Host-)?waiting-room[-_]|aws-waf-token$)/ : /^aws-waf-token$/;
  Object.keys(request.cookies).forEach((name) => {
    if (!kept.test(name)) delete request.cookies[name];
  });
  if (request.uri === '/join') request.uri = '/enter'; // the API has one route for both
  return request;
}
