// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import test from 'node:test';
import { alarmText, MAX_RUN_AGE, inletState } from '../admission/inlet.js';

const NOW = 1_800_000_000;
const inlet = (changes = {}) => ({
  strategy: 'Periodic', paused: false, targets: {}, last: { at: NOW - 5, increment: 3, reason: '60/min' },
  alarm: null, ...changes,
});
const alarm = (state, brakes) => ({ name: 'SiteErrors', state, brakes });
const words = (changes) => inletState(inlet(changes), NOW).words;

test('an inlet is running only while nothing stops or slows it', () => {
  assert.deepEqual(inletState(inlet(), NOW), { state: 'live', words: 'Running' });
  assert.equal(words({ alarm: alarm('OK', false) }), 'Running');
  assert.equal(words({ alarm: alarm('INSUFFICIENT_DATA', false) }), 'Running');
  const held = [
    [{ paused: true, alarm: alarm(null, false) }, 'Paused'],
    [{ last: null }, 'Not started'],
    [{ last: { at: NOW, increment: 0, reason: 'the start time has not come' } }, 'Scheduled'],
    [{ last: { at: NOW, increment: 0, reason: 'the end time has passed' } }, 'Ended'],
    [{ alarm: alarm('ALARM', true) }, 'Held by alarm'],
    [{ strategy: 'MaxSize', alarm: alarm('UNREADABLE', true) }, 'Held by alarm'],
    [{ strategy: 'Periodic', alarm: alarm('MISSING', false) }, 'Alarm missing'],
    [{ strategy: 'Periodic', alarm: alarm('MISSING', true) }, 'Alarm missing'],
    [{ last: { at: NOW - MAX_RUN_AGE - 1, increment: 0, reason: '' } }, 'No run for 3 min 1 s'],
  ];
  for (const [changes, expected] of held) {
    const seen = inletState(inlet(changes), NOW);
    assert.equal(seen.words, expected);
    assert.notEqual(seen.state, 'live', expected);
  }
  assert.equal(words({ strategy: 'MaxSize', last: { at: NOW - 9_999, increment: 1, reason: '' } }), 'Running');
});

test('the text of a limiting alarm has its name', () => {
  const alarmWords = (changes) => alarmText(inlet(changes));
  assert.equal(alarmWords({}), '');
  assert.equal(alarmWords({ alarm: alarm('OK', false) }), 'Alarm SiteErrors: OK.');
  assert.equal(alarmWords({ alarm: alarm('UNREADABLE', true) }), 'No one is admitted: alarm SiteErrors cannot be read.');
  assert.equal(alarmWords({ alarm: alarm('ALARM', true) }), 'No one is admitted: alarm SiteErrors is in ALARM.');
  assert.equal(alarmWords({ alarm: alarm('MISSING', false) }), 'Alarm SiteErrors does not exist; the inlet continues.');
  assert.equal(alarmWords({ paused: true, alarm: alarm(null, false) }), 'Alarm SiteErrors: not checked while the inlet is stopped.');
});
