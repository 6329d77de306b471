// SPDX-License-Identifier: Apache-2.0
// Tells the API, for a rule of AWS WAF, whom a request counts for: an IPv4 address, or the /64 of an
// IPv6 address, since a household or a server has a whole /64. Runs at every request, before the
// cache; whatever the caller sent in the header is written over. Runtime: cloudfront-js-2.0.
function handler(event) {
  event.request.headers['x-client-address'] = { value: network(String(event.viewer.ip)) };
  return event.request;
}

function network(ip) {
  if (ip.indexOf(':') < 0) {
    return ip;
  }
  var found = words(ip);
  if (found === null) {
    return 'unknown'; // counted together, so no spelling is a way around
  }
  var zeros = found[0] + found[1] + found[2] + found[3] + found[4];
  if (zeros === 0 && found[5] === 0xffff) { // IPv4 in IPv6: ::ffff:192.0.2.1
    return [found[6] >> 8, found[6] & 255, found[7] >> 8, found[7] & 255].join('.');
  }
  var parts = [];
  for (var i = 0; i < 4; i += 1) {
    parts.push(found[i].toString(16));
  }
  return parts.join(':') + '::/64';
}

// The eight 16-bit words of an IPv6 address in any spelling; null when it is none.
function words(ip) {
  var text = ip.split('%')[0];
  var dotted = /^(.*:)(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (dotted !== null) {
    var high = Number(dotted[2]) * 256 + Number(dotted[3]);
    var low = Number(dotted[4]) * 256 + Number(dotted[5]);
    text = dotted[1] + high.toString(16) + ':' + low.toString(16);
  }
  var halves = text.split('::');
  var head = halves[0] === '' ? [] : halves[0].split(':');
  var tail = halves.length < 2 || halves[1] === '' ? [] : halves[1].split(':');
  var missing = 8 - head.length - tail.length;
  if (halves.length > 2 || missing < 0 || (halves.length === 1 && missing > 0)) {
    return null;
  }
  var all = head;
  for (var i = 0; i < missing; i += 1) {
    all.push('0');
  }
  all = all.concat(tail);
  var found = [];
  for (var j = 0; j < 8; j += 1) {
    if (!/^[0-9a-fA-F]{1,4}$/.test(all[j])) {
      return null;
    }
    found.push(parseInt(all[j], 16));
  }
  return found;
}
