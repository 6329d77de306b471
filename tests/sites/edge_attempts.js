// SPDX-License-Identifier: Apache-2.0
/*
 * Runs the published function `gate.js` of the same folder on the attempts of a file: { items: the
 * store, attempts: [{ now, request }] }. Writes to `results.json`, for each attempt, the session
 * that the site gets, "" for none, or the status of the refusal. In Node and NGINX JavaScript.
 */
import cf from 'cloudfront';
import handler from './gate.js';
import fs from 'fs';

const given = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));
let now = 0;
Date.now = () => now * 1000;

function listed(values) {
  const found = {};
  Object.keys(values).forEach((name) => {
    const all = values[name].map((value) => ({ value: value }));
    if (all.length) found[name] = { value: all[0].value };
    if (all.length > 1) found[name].multiValue = all;
  });
  return found;
}

function asked(one) {
  const headers = listed(one.headers);
  headers.host = { value: one.host };
  return {
    method: one.method,
    uri: one.path,
    headers: headers,
    cookies: listed(one.cookies),
    rawQueryString: () => one.query,
  };
}

async function run() {
  const results = [];
  cf.fill(given.items);
  for (let at = 0; at < given.attempts.length; at++) {
    now = given.attempts[at].now;
    const answer = await handler({ request: asked(given.attempts[at].request) });
    if (answer.statusCode) results.push(answer.statusCode);
    else {
      const session = answer.headers['x-waiting-room-session'];
      results.push(session ? session.value : '');
    }
  }
  fs.writeFileSync('results.json', JSON.stringify(results));
  console.log('"done"');
}

run();
