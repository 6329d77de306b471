// SPDX-License-Identifier: Apache-2.0
/*
 * Runs CloudFront Functions: one JSON object per line on standard input and output.
 *
 * { items }: the store from now on. { id, name, event, now }: run the function `name`; `now` is the
 * time in ms, without it the time of the machine. The response is { id, result } or { id, error }. A
 * request has `rawQuery` instead of `rawQueryString()`.
 */
import readline from 'readline';
import cf from 'cloudfront';

const functions = {};
for (const name of process.argv.slice(2)) functions[name] = (await import(`./${name}.js`)).default;

function withRawQuery(request) {
  const raw = request.rawQuery;
  delete request.rawQuery;
  request.rawQueryString = () => (raw === null ? undefined : raw);
  return request;
}

async function run(call) {
  const event = call.event;
  if (call.now) Date.now = () => call.now;
  event.request = withRawQuery(event.request);
  const result = await functions[call.name](event);
  if (typeof result !== 'object' || result === null) throw new Error('no object');
  return result;
}

for await (const line of readline.createInterface({ input: process.stdin })) {
  const call = JSON.parse(line);
  if (call.items) cf.fill(call.items);
  else {
    run(call)
      .then((result) => process.stdout.write(`${JSON.stringify({ id: call.id, result })}\n`))
      .catch((error) => process.stdout.write(`${JSON.stringify({ id: call.id, error: String(error) })}\n`));
  }
}
