// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import test from 'node:test';
import { parseVisitorQuery } from '../visitors/visitor-query.js';

const ID = '0f6c3b9e-6d5c-4b0a-9a3e-2f0d1c7b8a90';

test('a request id is found in either case, with spaces, and without its hyphens', () => {
  for (const text of [ID, ID.toUpperCase(), `  ${ID} `, ID.replaceAll('-', ''), ID.replaceAll('-', ' - '), `\u200e${ID}\u200f`, ID.replaceAll('-', '‐')]) {
    assert.deepEqual(parseVisitorQuery(text), { request_id: ID }, text);
  }
});

test('a queue number is found with any mark of thousands', () => {
  for (const text of ['12345', ' 12345 ', '12,345', '12.345', '12 345', '12\u00a0345', '12\u202f345', '12’345', '#12345', '１２３４５']) {
    assert.deepEqual(parseVisitorQuery(text), { queue_number: '12345' }, text);
  }
  assert.deepEqual(parseVisitorQuery('7'), { queue_number: '7' });
});

test('a reference is found in either case, with spaces, and with any dash', () => {
  for (const text of ['1234-9F3C', '1234-9f3c', ' 1234 - 9F3C ', '1234–9F3C', '1234—9f3c', '1234−9F3C', '1234 9F3C', '1,234-9F3C', '1.234-9F3C', '１２３４－９Ｆ３Ｃ', '1234\u00ad-9F3C', '1234_9f3c']) {
    assert.deepEqual(parseVisitorQuery(text), { reference: '1234-9F3C' }, text);
  }
  assert.deepEqual(parseVisitorQuery('1234-5678'), { reference: '1234-5678' });
  assert.deepEqual(parseVisitorQuery('9-00AB'), { reference: '9-00AB' });
});

test('a reference from before the number has its own message, and invalid input is rejected', () => {
  for (const text of ['ACCC-A4CC', 'accc-a4cc', '0123-4567', '9F3C-1234']) {
    assert.match(parseVisitorQuery(text).wrong, /before the visitor had a queue number/, text);
  }
  for (const text of ['', '   ', 'abc', '0', '-5', '12-34', '1234-9F3', '1234-9F3G', '1e5', ID.slice(1), `${ID}0`, '9'.repeat(16)]) {
    assert.ok(parseVisitorQuery(text).wrong, text);
  }
});
