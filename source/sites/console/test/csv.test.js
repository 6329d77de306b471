// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import test from 'node:test';
import { expiredCsv, metricsCsv, fileName, formOf, logCsv, toCsv } from '../page/csv.js';

const POINT = formOf('en-GB');
const COMMA = formOf('de-DE');

test('cells with commas, quotes and line breaks are quoted by RFC 4180', () => {
  assert.equal(toCsv(['a', 'b'], [['1,2', 'say "hi"'], ['x\ny', '']], POINT), 'a,b\r\n"1,2","say ""hi"""\r\n"x\ny",\r\n');
});

test('no text can be read as a formula', () => {
  for (const text of ['=1+1', '+1', '-1', '@SUM(A1)', '\t=1', '\r=1', ' =1', '=HYPERLINK("x")', '＝1']) {
    const line = toCsv(['a'], [[text]], POINT).split('\r\n').slice(1).join('\r\n');
    assert.match(line, /^"?'/, JSON.stringify(text));
  }
});

test('numbers stay numbers, also negative ones, and a missing value is empty', () => {
  assert.equal(toCsv(['a', 'b', 'c', 'd'], [[-5, 0, null, Infinity]], POINT), 'a,b,c,d\r\n-5,0,,\r\n');
});

test('metrics are exported with their time in UTC and rates rounded', () => {
  const [names, row] = metricsCsv([{
    at: 1_800_000_000.4, generation: 2, serving: 5, queue: 9, waiting: 4, openTurns: 1, active: 3, expiredTokens: 0,
    completed: 1, abandoned: 0, positionsExpired: 0, joinRate: 1 / 3, admissionRate: null,
  }], POINT).split('\r\n');
  assert.equal(names.split(',').length, row.split(',').length);
  assert.equal(row, '2027-01-15T08:00:00.400Z,2,5,9,4,1,3,0,1,0,0,0.33,');
});

test('lists and the log are exported; an operator’s text in the log is no formula', () => {
  assert.equal(expiredCsv('Sample', ['id-1'], POINT), 'event_id,request_id\r\nSample,id-1\r\n');
  const [, row] = logCsv([{ at: 0, action: 'Show message', outcome: 'done', text: '=cmd|x' }], POINT).split('\r\n');
  assert.equal(row, "1970-01-01T00:00:00.000Z,Show message,done,'=cmd|x");
});

test('a file name contains no character that leaves the folder', () => {
  assert.equal(fileName('../a b', 'metrics', 0), '.._a_b-metrics-1970-01-01T000000Z.csv');
});

test('with a decimal comma, the separator is a semicolon', () => {
  for (const language of ['de-DE', 'fr-FR', 'es-ES', 'pt-BR', 'nl', 'da', 'ru', 'tr', 'vi']) {
    assert.deepEqual(formOf(language), { separator: ';', decimal: ',' }, language);
  }
  for (const language of ['en-GB', 'en-US', 'ja', 'ko', 'zh-CN', 'he', 'th', 'de-CH', 'es-MX']) {
    assert.deepEqual(formOf(language), { separator: ',', decimal: '.' }, language);
  }
  assert.equal(toCsv(['a', 'b', 'c'], [[0.33, -5, 'x;y'], [1234.5, null, '=1,5']], COMMA), 'a;b;c\r\n0,33;-5;"x;y"\r\n1234,5;;"\'=1,5"\r\n');
});

test('no text can be read as a formula, or split, with either separator', () => {
  for (const form of [POINT, COMMA]) {
    for (const text of ['=1+1', ' +1', '-1', '@SUM(A1)', '\t=1', '＝1', 'a;=1', 'a,=1', 'a\t=1', 'a\r\n=1']) {
      const line = toCsv(['a', 'b'], [[text, 'end']], form);
      const cell = line.slice(line.indexOf('\r\n') + 2, -(form.separator.length + 'end\r\n'.length));
      assert.doesNotMatch(cell, /^"?\s*[=+\-@\uff1d]/, JSON.stringify(text));
      assert.ok(!/[;,\t\r\n]/.test(cell) || (cell.startsWith('"') && cell.endsWith('"')), JSON.stringify(text));
    }
  }
});
