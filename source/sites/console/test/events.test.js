// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import test from 'node:test';
import {
  ACTIONS, PHASES, ServerClock, confirmationOf, countdown, isEventId, nameOf, nextChange, refusalOf, replacementOf,
} from '../events/events.js';

const NOW = 1_800_000_000;
const event = ({ schedule = {}, ...members } = {}) => ({
  event_id: 'onsale', title: '', phase: 'open', mode: 'queue', version: 1, ...members,
  schedule: { pre_queue_at: null, opens_at: null, closes_at: null, after: 'closed', ...schedule },
});

test('the next change is the next time of the schedule that the phase can reach', () => {
  const schedule = { pre_queue_at: NOW + 10, opens_at: NOW + 20, closes_at: NOW + 30 };
  const next = (phase, more = {}) => nextChange(event({ phase, schedule: { ...schedule, ...more } }))?.words ?? null;
  assert.equal(next('scheduled'), 'Pre-queue begins');
  assert.equal(next('scheduled', { pre_queue_at: null }), 'Opens');
  assert.equal(next('pre_queue'), 'Opens');
  for (const phase of ['open', 'paused', 'draining', 'pass_through']) assert.equal(next(phase), 'Closes');
  assert.equal(next('open', { after: 'pass_through' }), 'Passes visitors through');
  assert.equal(next('pass_through', { after: 'pass_through' }), null);
  assert.equal(next('closed'), null);
  assert.equal(next('open', { closes_at: null }), null);
});

test('a countdown has two units, and ends with its change', () => {
  const opens = event({ phase: 'scheduled', schedule: { opens_at: NOW + 3_900 } });
  assert.equal(countdown(opens, NOW), 'Opens in 1 h 5 min');
  assert.equal(countdown(opens, NOW + 3_899.2), 'Opens in 1 s');
  assert.equal(countdown(opens, NOW + 3_900), 'Opens now');
  assert.equal(countdown(event(), NOW), '');
});

test('actions are offered as the API allows them', () => {
  const allowed = (phase, mode = 'queue') => Object.keys(ACTIONS)
    .filter((action) => !refusalOf(action, event({ phase, mode }))).join(' ');
  assert.equal(allowed('scheduled'), 'open close pass_through reset');
  assert.equal(allowed('pre_queue'), 'open close pass_through reset');
  assert.equal(allowed('open'), 'pause drain close pass_through admit reset');
  assert.equal(allowed('paused'), 'open resume drain close pass_through reset');
  assert.equal(allowed('draining'), 'open close pass_through admit reset');
  assert.equal(allowed('closed'), 'open reset');
  assert.equal(allowed('pass_through', 'pass_through'), 'open close queue reset');
  assert.equal(allowed('pass_through'), 'open close pass_through reset', 'since the closing time');
});

test('a refusal names the phase and the rule; an unknown phase refuses nothing', () => {
  assert.equal(refusalOf('pause', event({ phase: 'pre_queue' })), 'The event is pre-queue: only an open event can be paused.');
  assert.equal(refusalOf('close', event({ phase: 'closed' })), 'Not possible: it is closed already.');
  for (const action of Object.keys(ACTIONS)) assert.equal(refusalOf(action, { phase: '' }), '');
});

test('a confirmation names the event and its numbers', () => {
  const asked = confirmationOf('close', event({ title: 'Spring tour' }), { queue: 1200, serving: 30, waiting: 1 });
  assert.equal(asked.title, 'Close: Spring tour (onsale)?');
  assert.match(asked.words, /^1 visitor who waits gets no token\./);
  assert.match(asked.words, /Positions assigned: 1,200\. Serving position: 30\. Waiting: 1\.$/);
  assert.equal(asked.danger, true);
  assert.doesNotMatch(confirmationOf('close', event(), null).words, /assigned/);
  assert.match(confirmationOf('reset', event(), null).words, /^All visitors lose their position/);
  const paused = (numbers) => confirmationOf('pause', event(), numbers).words.split('\n')[0];
  assert.match(paused({ queue: 10, serving: 7, waiting: 3 }), /stays at 7 until .* Visitors up to it can still enter\.$/);
  assert.match(paused({ queue: 10, serving: 12, waiting: 0 }), /So can the next 2 visitors to join\.$/);
  assert.match(paused(null), /Visitors up to it can still enter\.$/);
});

test('a right-to-left title is isolated from the text around it', () => {
  assert.equal(nameOf(event({ title: 'حفلة' })), '\u2068حفلة\u2069 (onsale)');
  assert.equal(nameOf(event()), 'onsale');
});

test('each phase of the API has a name', () => {
  assert.deepEqual(Object.keys(PHASES).sort(), ['closed', 'draining', 'open', 'pass_through', 'paused', 'pre_queue', 'scheduled']);
});

test('ids that the API cannot have are refused before a call', () => {
  for (const id of ['Sample', 'a.b', '_old', 'x'.repeat(64)]) assert.ok(isEventId(id), id);
  for (const id of ['', '.', '..', 'a b', 'a/b', 'ä', 'x'.repeat(65)]) assert.ok(!isEventId(id), id);
});

test('the server’s clock is the best of the responses, whatever this device’s clock says', () => {
  let device = 5_000_000; // milliseconds; the server is 100 s ahead
  const clock = new ServerClock(() => device);
  assert.equal(clock.now(), 5_000);
  clock.observe(5_099_000); // cut to its second, and late
  clock.observe(null);
  assert.equal(clock.now(), 5_099);
  device += 1_000;
  clock.observe(5_100_900);
  assert.equal(clock.now(), 5_100.9);
  clock.observe(5_100_000); // a later response with a worse time
  assert.equal(clock.now(), 5_100.9);
  device += 3_600_000; // this device's clock is set
  clock.observe(5_101_000);
  assert.equal(clock.now(), 5_101);
});

test('a deleted event allows no action', () => {
  for (const action of Object.keys(ACTIONS)) {
    assert.equal(refusalOf(action, { event_id: 'onsale', phase: '', gone: true }), 'This event no longer exists. Choose another event in the list.');
  }
});

test('after a deletion, the event of the deployment is shown, otherwise the first of the list', () => {
  assert.equal(replacementOf('tour', 'Sample', ['a', 'tour', 'Sample']), 'Sample');
  assert.equal(replacementOf('tour', '', ['tour', 'a', 'b']), 'a');
  assert.equal(replacementOf('Sample', 'Sample', ['a']), 'a');
  assert.equal(replacementOf('tour', '', ['tour']), null);
});
