// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import test from 'node:test';
import { explain, explainNoResponse, isUnknownEvent } from '../api/errors.js';

const NOW = Date.UTC(2026, 10, 24, 9, 10, 0);
const refusal = (message, more = {}) => explain({
  status: 403, body: { error: message }, serverTime: NaN, localTime: NOW, ...more,
});

// Messages of API Gateway, verbatim.
const MESSAGES = [
  ['The security token included in the request is invalid.', 'keys', /AWS does not know this access key/],
  ['The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.', 'keys', /secret access key does not belong to this access key/],
  ['The security token included in the request is expired', 'keys-expired', /session token has expired/],
  ["Credential should be scoped to a valid region, not 'us-east-1'. ", 'region', /in another region/],
  ['User: arn:aws:iam::123456789012:user/eve is not authorized to perform: execute-api:Invoke on resource: arn:aws:execute-api:eu-central-1:********9012:abc/api/GET/metrics', 'rights', /valid, but not allowed to do this/],
  ['User is not authorized to access this resource with an explicit deny', 'rights', /valid, but not allowed to do this/],
  ['Missing Authentication Token', 'address', /does not know this address/],
  ['Forbidden', 'forbidden', /refused the call/],
  ['', 'forbidden', /refused the call/],
];
for (const [message, kind, text] of MESSAGES) {
  test(`"${message.slice(0, 60)}" means ${kind}`, () => {
    const error = refusal(message);
    assert.equal(error.kind, kind);
    assert.match(error.message, /^[A-Z].*\.$/s);
    assert.match(error.message, text);
    assert.equal(error.unconfirmed, false);
  });
}

test('a rejection is parsed in every form that gateways return', () => {
  for (const name of ['error', 'message', 'Message']) {
    const body = { [name]: 'The security token included in the request is invalid.' };
    assert.equal(explain({ status: 403, body, localTime: NOW }).kind, 'keys');
  }
});

test('the message of a rejection repeats no text that may contain an account or a key', () => {
  const error = refusal('User: arn:aws:iam::123456789012:user/eve is not authorized to perform: x');
  assert.doesNotMatch(error.message, /123456789012|eve/);
});

test('a wrong clock is measured by the Date of the response', () => {
  const behind = refusal('Signature expired or not yet current.', { serverTime: NOW + 432_000 });
  assert.equal(behind.kind, 'clock');
  assert.equal(behind.ahead, -432);
  assert.match(behind.message, /7 min 12 s behind/);
  const ahead = refusal('Signature expired or not yet current.', { serverTime: NOW - 7_260_000 });
  assert.match(ahead.message, /2 h 1 min ahead of/);
});

test('a wrong clock is measured by the error message if there is no Date', () => {
  const slow = refusal('Signature expired: 20261124T090000Z is now earlier than 20261124T091500Z (20261124T092000Z - 5 min.)');
  assert.equal(slow.ahead, -1200);
  const fast = refusal('Signature not yet current: 20261124T100000Z is still later than 20261124T092500Z (20261124T092000Z + 5 min.)');
  assert.equal(fast.ahead, 2400);
  assert.match(fast.message, /40 min ahead of/);
  assert.equal(refusal('Signature expired').ahead, null);
});

test('a correct clock is not reported as wrong', () => {
  const error = refusal('Signature expired or not yet current.', { serverTime: NOW + 2_000 });
  assert.doesNotMatch(error.message, /clock is/);
});

test('a rejection by the room shows the room’s own message', () => {
  const error = explain({ status: 400, body: { error: 'min_per_minute must not be above per_minute' } });
  assert.equal(error.kind, 'refused');
  assert.equal(error.message, 'min_per_minute must not be above per_minute.');
  const other = explain({ status: 404, body: { error: 'no position belongs to this request id' } });
  assert.equal(other.message, 'No position belongs to this request id.');
});

test('a change that failed or got no response is unconfirmed', () => {
  assert.equal(explain({ status: 503, body: null, changes: true }).unconfirmed, true);
  assert.equal(explain({ status: 503, body: null, changes: false }).unconfirmed, false);
  assert.equal(explain({ status: 400, body: { error: 'no' }, changes: true }).unconfirmed, false);
  assert.equal(explainNoResponse({ error: { name: 'TimeoutError' }, changes: true }).unconfirmed, true);
  assert.equal(explainNoResponse({ error: new TypeError('Failed to fetch'), changes: true }).unconfirmed, true);
  assert.equal(explainNoResponse({ error: new TypeError('x'), blocked: true, changes: true }).unconfirmed, false);
});

test('calls without a response: policy, offline device, time limit, unreachable', () => {
  const kinds = [
    explainNoResponse({ blocked: true }), explainNoResponse({ online: false }),
    explainNoResponse({ error: { name: 'TimeoutError' } }), explainNoResponse({ error: new TypeError('x') }),
  ].map((error) => error.kind);
  assert.deepEqual(kinds, ['blocked', 'offline', 'silent', 'unreachable']);
});

test('an unknown event is recognised, whatever route says so', () => {
  for (const [status, error] of [[400, 'event_id is not an event of this waiting room'], [404, 'no event of this waiting room has this id']]) {
    assert.equal(isUnknownEvent(explain({ status, body: { error }, localTime: NOW })), true);
  }
  assert.equal(isUnknownEvent(explain({ status: 404, body: { error: 'no position belongs to it' }, localTime: NOW })), false);
  assert.equal(isUnknownEvent(explain({ status: 404, body: { message: 'no event of this waiting room has this id' }, localTime: NOW })), false, 'not the room');
  assert.equal(isUnknownEvent(explainNoResponse({})), false);
});
