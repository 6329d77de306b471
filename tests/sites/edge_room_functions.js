// SPDX-License-Identifier: Apache-2.0
/*
 * Runs a function, `gate.js` in the same folder, on the events of a file; writes the results to
 * `results.json`. A request has `rawQuery` for `rawQueryString()`. In Node and NGINX JavaScript.
 */
import handler from './gate.js';
import fs from 'fs';

const events = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));
const results = events.map((event) => {
  const raw = event.request.rawQuery;
  if (raw !== undefined) event.request.rawQueryString = () => (raw === null ? undefined : raw);
  delete event.request.rawQuery;
  return handler(event);
});
fs.writeFileSync('results.json', JSON.stringify(results)); // NGINX JavaScript prints short lines
console.log('"done"');
