// SPDX-License-Identifier: Apache-2.0
/*
 * Runs the vectors on the published function `gate.js` in the same folder, with a store in memory
 * (the module `cloudfront`), in Node and in NGINX JavaScript. Prints one line of JSON: how many
 * vectors, the most HMACs and store reads of one, and the first wrong results.
 */
import cf from 'cloudfront';
import handler from './gate.js';
import fs from 'fs';

const KNOWN = ['sale', 'vip', 'mobile'];
const given = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));
const vectors = given.vectors.filter((vector) => vector.secure);
const wrong = [];
let now = 0;
let most = 0;
const counted = { own: {}, all: {} }; // store reads by reason; `own`: the host has rules of its own
let others = 0;

Date.now = () => now * 1000 + 999;

function canonical(value) {
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (Array.isArray(value)) return '[' + value.map(canonical).join(',') + ']';
  const named = Object.keys(value).sort().map((name) => JSON.stringify(name) + ':' + canonical(value[name]));
  return '{' + named.join(',') + '}';
}

/** Headers or cookies as CloudFront's event has them. */
function listed(values) {
  const found = {};
  Object.keys(values).forEach((name) => {
    const all = values[name].map((value) => ({ value: value }));
    if (all.length) found[name] = { value: all[0].value };
    if (all.length > 1) found[name].multiValue = all;
  });
  return found;
}

function asked(vector) {
  const one = vector.request;
  const headers = listed(one.headers);
  headers.host = { value: one.host };
  headers['x-waiting-room-session'] = { value: 'forged:1:1' };
  const cookies = listed(one.cookies);
  cookies.own = { value: 'kept' };
  return {
    method: one.method,
    uri: one.path,
    headers: headers,
    cookies: cookies,
    rawQueryString: () => one.query,
  };
}

function fill(room, parts, key) {
  const items = {};
  const size = Math.ceil(room.rules.length / (parts + 1));
  for (let part = 0; part <= parts; part++) {
    const value = { r: room.rules.slice(part * size, (part + 1) * size) };
    if (part === 0) Object.assign(value, { n: parts, v: 'tag' });
    items[key + (part ? ':tag:' + part : '')] = JSON.stringify(value);
  }
  KNOWN.forEach((event) => {
    if (!room.event) return;
    const state = JSON.parse(JSON.stringify(room.event));
    state.k = room.keys;
    items['e:' + event] = JSON.stringify(state);
  });
  cf.fill(items);
}

/** The response in the form of the vectors. */
function simple(found) {
  if (!found.statusCode) {
    const session = found.headers['x-waiting-room-session'];
    return { pass: true, session: session ? session.value : '' };
  }
  const headers = {};
  Object.keys(found.headers).forEach((name) => {
    headers[name] = found.headers[name].value;
  });
  const cookies = Object.keys(found.cookies).map((name) => {
    const parts = found.cookies[name].attributes.split('; ');
    if (parts.slice(0, 4).join() !== 'Secure,HttpOnly,SameSite=None,Path=/') others += 1;
    return [name, found.cookies[name].value, Number(parts[4].split('=')[1])];
  });
  const body = found.body ? JSON.parse(found.body.data) : null;
  return { pass: false, status: found.statusCode, headers: headers, cookies: cookies, body: body };
}

function expected(vector) {
  const found = JSON.parse(JSON.stringify(vector.expected));
  delete found.reason;
  return found;
}

async function run() {
  for (let at = 0; at < vectors.length; at++) {
    const vector = vectors[at];
    const parts = at % 2;
    const own = at % 4 > 1;
    now = vector.now;
    const host = vector.request.host.toLowerCase().replace(/\.?(:\d*)?$/, '');
    fill(given.rooms[vector.room], parts, own ? 'h:' + host : 'h:*');
    let found;
    try {
      const answer = await handler({ request: asked(vector) });
      found = canonical(simple(answer));
      if (!answer.statusCode && vector.expected.reason !== 'room') {
        if (Object.keys(answer.cookies).some((name) => name.indexOf('waiting-room') >= 0)) others += 1;
        if (!answer.cookies.own) others += 1;
      }
    } catch (error) {
      found = String(error);
    }
    const reads = cf.reads() - parts;
    const reason = vector.expected.reason;
    most = Math.max(most, reads);
    const seen = counted[own ? 'own' : 'all'];
    seen[reason] = seen[reason] || [];
    if (seen[reason].indexOf(reads) < 0) seen[reason].push(reads);
    const right = canonical(expected(vector));
    if (found !== right) wrong.push([vector.name, found, right]);
  }
  console.log(JSON.stringify({
    vectors: vectors.length, most: most, reads: counted, others: others, wrong: wrong.length, first: wrong.slice(0, 3),
  }));
}

run();
