// SPDX-License-Identifier: Apache-2.0
/*
 * Runs the vectors on a decision module in the same folder, in Node and in NGINX JavaScript.
 * Prints one line of JSON: how many vectors, the most HMACs of one, and the first wrong results.
 */
import decision from './decision.js';
import crypto from 'crypto';
import fs from 'fs';

const ROOM = '/_waiting-room/handover';
const KNOWN = ['sale', 'vip', 'mobile'];
const given = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));
const wrong = [];
let macs = 0;
let most = 0;

function hmac(key, text) {
  macs += 1;
  return crypto.createHmac('sha256', key).update(text).digest('base64url');
}

function lookup(values) {
  return (name) => (Object.prototype.hasOwnProperty.call(values, name) ? values[name] : []);
}

/** The result as JSON with sorted names, so that two results can be compared as texts. */
function canonical(value) {
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (Array.isArray(value)) return '[' + value.map(canonical).join(',') + ']';
  const named = Object.keys(value).sort().map((name) => JSON.stringify(name) + ':' + canonical(value[name]));
  return '{' + named.join(',') + '}';
}

function decide(vector) {
  const room = given.rooms[vector.room];
  const asked = vector.request;
  const request = {
    method: asked.method,
    host: asked.host,
    path: asked.path,
    query: asked.query,
    headers: lookup(asked.headers),
    cookies: lookup(asked.cookies),
  };
  if (request.path === ROOM) return decision.handOver(request, room.keys, vector.now, hmac, vector.secure);
  if (decision.isOwnPath(request.path)) return { pass: true, reason: 'room', session: '' };
  const event = decision.findEvent(room.rules, request);
  if (event === undefined) return { pass: true, reason: 'no_rule', session: '' };
  const state = KNOWN.indexOf(event) < 0 ? null : room.event;
  return decision.judge(request, event, state, room.keys, vector.now, hmac, vector.secure);
}

given.vectors.forEach((vector) => {
  macs = 0;
  let found;
  try {
    found = canonical(decide(vector));
  } catch (error) {
    found = String(error);
  }
  most = Math.max(most, macs);
  if (found !== canonical(vector.expected)) wrong.push([vector.name, found, canonical(vector.expected)]);
});

console.log(JSON.stringify({ vectors: given.vectors.length, most: most, wrong: wrong.length, first: wrong.slice(0, 3) }));
