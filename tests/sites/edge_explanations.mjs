// SPDX-License-Identifier: Apache-2.0
/*
 * Runs the cases of explanations on the module of a folder, in Node. Arguments: the file of cases and
 * the module. Prints one line of JSON: how many cases, and the first wrong results.
 */
import fs from 'node:fs';
import { pathToFileURL } from 'node:url';

const { explain, requestOf } = await import(pathToFileURL(process.argv[3]).href);
const given = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));

/** The explanation with one text for each rule; those of the vectors have the matching rules only. */
function compact(found, documents) {
  const rules = found.rules.filter(({ misses }) => documents !== 'vectors' || !misses.length).map((one) => `${one.event_id} ${one.list} ${JSON.stringify(one.rule)} ${one.effect} ${one.misses}`);
  return { ...found, rules };
}

function explained({ documents, given: { user_agent: userAgent, ...request } }) {
  try {
    return compact(explain(requestOf({ ...request, userAgent }), given.documents[documents], given.now), documents);
  } catch (error) {
    return { error: error.message };
  }
}

/** The value as JSON with sorted names. */
function canonical(value) {
  const named = (_, one) => (one && typeof one === 'object' && !Array.isArray(one)
    ? Object.fromEntries(Object.entries(one).sort()) : one);
  return JSON.stringify(value, named);
}

const wrong = given.cases
  .map((one) => [one.name, canonical(explained(one)), canonical(one.expected)])
  .filter(([, found, expected]) => found !== expected);
console.log(JSON.stringify({ cases: given.cases.length, wrong: wrong.length, first: wrong.slice(0, 3) }));
