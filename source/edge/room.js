// SPDX-License-Identifier: Apache-2.0
/*
 * CloudFront Function (viewer request) for the paths of the room on a protected host, without
 * `/_waiting-room/handover`, which the gate handles. The room gets the host of the site, its own
 * cookies and that of AWS WAF, and one of two classes of `Accept`, which may be in a cache key. It never throws.
 */
const JSON_TYPES = ['application/json', 'application/*', '*/*'];
const HTML_TYPES = ['text/html', 'text/*', '*/*'];
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

// eslint-disable-next-line no-unused-vars
function handler(event) {
  const request = event.request;
  const headers = request.headers;
  const host = header(headers, 'host');
  delete headers['x-waiting-room-session'];
  headers['x-waiting-room-host'] = { value: host };
  headers.accept = { value: prefersJson(header(headers, 'accept')) ? 'application/json' : 'text/html' };
  Object.keys(request.cookies).forEach((name) => {
    if (!/^((__Host-)?waiting-room[-_]|aws-waf-token$)/.test(name)) delete request.cookies[name];
  });
  return request;
}
