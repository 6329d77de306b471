// SPDX-License-Identifier: Apache-2.0
/*
 * Calls the published function `gate.js` in the same folder with broken stores, states and events.
 * Prints one line of JSON: case → "passes", the status, or "throws".
 */
import cf from 'cloudfront';
import handler from './gate.js';

const KEYS = { signing: 'a', keys: { a: '0'.repeat(64) } };
const RULES = JSON.stringify({ r: [['sale', 0, '/checkout']] });
const SHOWN = {};

function store(state, rules) {
  const items = { 'h:*': rules || RULES };
  if (state !== undefined) items['e:sale'] = typeof state === 'string' ? state : JSON.stringify(state);
  return items;
}

function event(members) {
  const request = {
    method: 'GET',
    uri: '/checkout',
    headers: { host: { value: 'shop.example' } },
    cookies: { '__Host-waiting-room-sale': { value: '1:a:sale:1:1:1:zzzzzz:x' } },
    rawQueryString: () => undefined,
  };
  return { request: Object.assign(request, members || {}) };
}

async function call(name, items, given) {
  cf.fill(items);
  let shown = 'throws';
  try {
    const found = await handler(given || event());
    shown = found.statusCode ? String(found.statusCode) : 'passes';
  } catch (error) {
    shown = 'throws ' + error;
  }
  SHOWN[name] = shown;
}

const DAMAGES = {
  'rules are null': store({ g: 1, k: KEYS }, 'null'),
  'rules are a text': store({ g: 1, k: KEYS }, '"x"'),
  'rules are no list': store({ g: 1, k: KEYS }, '{"r":7}'),
  'rules are not JSON': store({ g: 1, k: KEYS }, '{'),
  'a rule is a number': store({ g: 1, k: KEYS }, '{"r":[7]}'),
  'a part is missing': store({ g: 1, k: KEYS }, '{"r":[["sale",0,"/checkout"]],"n":1,"v":"x"}'),
  'empty store': {},
  'no state': store(undefined),
  'state is not JSON': store('{'),
  'state is a list': store([]),
  'state without keys': store({ g: 1 }),
  'keys without the signing key': store({ g: 1, k: { signing: 'b', keys: { a: 'x' } } }),
  'keys are a text': store({ g: 1, k: 'x' }),
  'whole state': store({ g: 1, k: KEYS }),
  'state without keys, open': store({ g: 1, u: 1 }),
  'keys are a text, open': store({ g: 1, u: 1, k: 'x' }),
  'whole state, open while unreachable': store({ g: 1, u: 1, k: KEYS }),
};

const EVENTS = {
  'no path': { uri: undefined },
  'no method': { method: undefined },
  'no headers': { headers: {} },
  'no cookies': { cookies: {} },
  'query cannot be read': { rawQueryString: undefined },
  'header without a value': { headers: { host: {} } },
  'a lone surrogate': { uri: '/checkout\ud800' },
};

async function run() {
  const damages = Object.keys(DAMAGES);
  for (let at = 0; at < damages.length; at++) await call(damages[at], DAMAGES[damages[at]]);
  const whole = store({ g: 1, k: KEYS });
  const events = Object.keys(EVENTS);
  for (let at = 0; at < events.length; at++) await call(events[at], whole, event(EVENTS[events[at]]));
  await call('no request', whole, {});
  await call('an open path while the rules cannot be read', {}, event({ uri: '/' }));
  await call('an open path', whole, event({ uri: '/' }));
  await call('hand-over without a store', {}, event({ uri: '/_waiting-room/handover' }));
  console.log(JSON.stringify(SHOWN));
}

run();
