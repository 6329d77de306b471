// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import test from 'node:test';
import { ListNumbers, numbersOf } from '../events/list-numbers.js';
import { authorOf, changeText } from '../live/audit-words.js';
import { latestMinute } from '../live/latest-minute.js';
import { alarmText, alarmsLine, brakeLine, changedByText, phaseAuthor } from '../live/state-lines.js';

const NOW = 1_800_000_000;
const entry = (what, more = {}) => ({ at: NOW, who: 'arn:aws:iam::1:user/ops/ada', role: 'person', what, before: {}, after: {}, ...more });

test('the author of a phase is that of the latest change to it', () => {
  assert.match(phaseAuthor('paused', [entry('admit'), entry('pause'), entry('open')]), /^Paused by ada, /);
  assert.match(phaseAuthor('open', [entry('phase', { role: 'schedule', after: { phase: 'open' } })]), /^Open by the schedule/);
  assert.equal(phaseAuthor('paused', [entry('open')]), '');
  assert.equal(phaseAuthor('paused', null), '');
});

test('the brake is shown with its cause', () => {
  const rate = { strategy: 'rate' };
  const alarm = { name: 'SiteErrors', state: 'ALARM' };
  assert.equal(brakeLine(null, { strategy: 'manual' }).words, 'Admission by hand or inlet');
  assert.equal(brakeLine({ brake: 1, alarm: { ...alarm, state: 'OK' } }, rate).words, 'Not braked');
  assert.deepEqual(brakeLine({ brake: 0.25, alarm }, rate), { state: 'stale', words: 'Slowed to 25 %: alarm SiteErrors is in ALARM' });
  assert.equal(brakeLine({ brake: 0, alarm: null }, rate).words, 'Stopped by the brake');
});

test('alarms in ALARM are counted and named', () => {
  const alarms = [{ name: 'Room-A', state: 'ALARM', since: NOW - 90, reason: 'too many' }, { name: 'Room-B', state: 'OK', since: NOW, reason: '' }];
  assert.equal(alarmsLine({ alarms, unread: [] }).words, '1 alarm in ALARM');
  assert.equal(alarmsLine({ alarms: [alarms[1]], unread: [] }).words, 'None of 1 alarm is in ALARM');
  const partly = alarmsLine({ alarms: [alarms[1]], unread: ['us-east-1'] });
  assert.deepEqual([partly.state, partly.words], ['stale', 'None of 1 alarm is in ALARM; those of us-east-1 could not be read']);
  assert.equal(alarmsLine(null).words, 'Unknown');
  assert.equal(alarmText(alarms[0], NOW), 'Room-A, for 1 min 30 s: too many');
});

test('a change is described member by member', () => {
  assert.equal(changeText(entry('patch', { before: { admission: { per_minute: 300 } }, after: { admission: { per_minute: 600 } } }), [{ path: 'admission.per_minute', label: 'Rate' }]), 'Changed: Rate 300 → 600');
  assert.equal(changeText(entry('admit', { before: { serving_counter: 7 }, after: { serving_counter: 9 } })), 'Admitted: serving position 7 → 9');
  assert.doesNotMatch(changeText(entry('pause', { before: { control: { paused_at: null } }, after: { control: { paused_at: NOW } } })), /control|T\d/);
  assert.equal(changeText(entry('pause')), 'Paused');
  assert.equal(changeText(entry('message', { before: { message: '' }, after: { message: 'Hi' } })), 'Message: message “” → “Hi”');
  assert.equal(authorOf(entry('pause')), 'ada');
  assert.equal(authorOf(entry('admit', { role: 'admission', who: 'admission' })), 'automatic admission');
});

test('the latest whole minute counts, and waits of the latest with any', () => {
  const point = (at, more = {}) => ({ at, arrived: 5, no_shows: 1, wait_p50: null, wait_p95: null, ...more });
  const points = [point(NOW - 180, { wait_p50: 30, wait_p95: 60 }), point(NOW - 120, { arrived: 7 }), point(NOW - 30, { arrived: 9 })];
  assert.deepEqual([latestMinute(points, NOW).arrived, latestMinute(points, NOW).wait_p50], [7, 30]);
  assert.equal(latestMinute([point(NOW - 900)], NOW), null);
  assert.equal(latestMinute([], NOW), null);
});

test('numbers of the list are read for visible rows, one call a second, each row every 30 s', async () => {
  const calls = [];
  const shown = new Map();
  const numbers = new ListNumbers({
    publicApi: () => 'https://room.example', show: (id, words) => shown.set(id, words),
    read: async (_api, id) => { calls.push(id); return { waiting_num: 1204, admission_rate_per_minute: 60 }; },
  });
  for (const id of ['a', 'b', 'c']) numbers.see(id, true);
  numbers.see('c', false);
  for (let second = 0; second < 60; second += 1) await numbers.tick(second);
  assert.deepEqual(calls, ['a', 'b', 'a', 'b'], 'two visible rows: four calls a minute');
  assert.equal(shown.get('a'), '1,204 waiting, 60/min');
  assert.equal(numbersOf({ waiting_num: 0 }), '0 waiting');
});

test('the event whose metrics are shown has the same numbers in the list, and is not read again', async () => {
  const calls = [];
  const shown = new Map();
  let own = 'a';
  const numbers = new ListNumbers({
    publicApi: () => 'https://room.example', own: () => own, show: (id, words) => shown.set(id, words),
    read: async (_api, id) => { calls.push(id); own = id; return { waiting_num: 9 }; },
  });
  for (const id of ['a', 'b']) numbers.see(id, true);
  await numbers.tick(0);
  await numbers.tick(100);
  assert.deepEqual(calls, ['b', 'a'], 'the event that is chosen is not read');
  assert.equal(shown.size, 0, 'an event that was chosen meanwhile keeps its metrics');
});

test('without a change of the phase, the line says who created the event or changed its document', () => {
  const create = entry('create', { after: { schedule: {} } });
  assert.match(changedByText('open', [create], true), /^Created by ada, /);
  assert.match(changedByText('open', [{ ...create, role: 'deployment', who: 'set_up' }], true), /^Created by the deployment, /);
  assert.match(changedByText('open', [entry('message'), create], true), /^Created by ada, /);
  assert.match(changedByText('open', [entry('patch', { after: { title: 'x' } }), create], true), /^Created by ada, /);
  assert.match(changedByText('scheduled', [entry('patch', { who: 'a/eve', after: { schedule: {} } }), create], true), /^Scheduled by eve, /);
  assert.match(changedByText('open', [entry('phase', { role: 'schedule', after: { phase: 'open' } }), create], true), /^Open by the schedule, /);
  assert.equal(changedByText('open', [entry('admit')], false), 'Not in the latest entries of the audit log');
  assert.equal(changedByText('open', [], true), 'Not in the audit log, which is kept for 90 days');
});
