// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import test from 'node:test';
import { labelSpace } from '../live/chart-set.js';
import { sinceText } from '../live/charts.js';
import { NONE } from '../live/day-history.js';
import { moveBackText, canUndo, moveText, confirmationFor, wholeNumber } from '../admission/admit.js';
import { count, rate, some, span } from '../page/format.js';
import { lastRunText, targetText } from '../admission/inlet.js';
import { NOTES, needsKeys, offersApiTime } from '../live/metrics-view.js';
import { remainingText, lengthOf, quoted, currentMessageText } from '../visitors/message.js';
import { validationErrors } from '../sign-in/form.js';
import { factsOf } from '../visitors/visitor.js';

test('durations are shown in their two largest units', () => {
  const spans = [0, 0.4, 59, 60, 432, 3600, 7_500, 86_400, 180_000].map(span);
  assert.deepEqual(spans, ['0 s', '0 s', '59 s', '1 min', '7 min 12 s', '1 h', '2 h 5 min', '1 day', '2 days 2 h']);
});

test('small rates keep a decimal and an unknown rate is a dash', () => {
  assert.deepEqual([rate(0), rate(1 / 3), rate(12.6), rate(null), count(1204)], ['0', '0.3', '13', '–', '1,204']);
  assert.deepEqual([some(1, 'visitor'), some(0, 'visitor')], ['1 visitor', '0 visitors']);
});

test('a step is a whole number from 1 to a million, however it is typed', () => {
  assert.deepEqual(['1', ' 25 ', '+7', '1,000', '1 000 000'].map(wholeNumber), [1, 25, 7, 1000, 1_000_000]);
  for (const text of ['', '0', '-5', '1.5', '1e3', 'ten', '1000001', '99999999', '1,00', '٣']) {
    assert.equal(wholeNumber(text), null, text);
  }
});

test('the effect of a move is described', () => {
  assert.equal(moveText({ from: 70, to: 71, served: 1, ahead: 0 }), '70 → 71: 1 more visitor may enter.');
  assert.match(moveText({ from: 70, to: 95, served: 10, ahead: 15 }), /next 15 visitors to join go straight in/);
  assert.match(moveText({ from: 90, to: 95, served: 0, ahead: 15 }), /no one is waiting/);
});

test('the text of a move back names the positions that wait again', () => {
  const text = moveBackText({ from: 40, to: 25, served: -10 }, { served: 35 });
  assert.match(text, /^Back: 40 → 25\. Visitors 26 to 35 without a token wait again/);
  assert.match(moveBackText({ from: 90, to: 80, served: 0 }, { served: 35 }), /No visitor is affected/);
});

test('the form is validated before any call', () => {
  const good = {
    accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'x', sessionToken: '', eventId: 'Sample',
    region: 'eu-central-1', endpoint: 'https://abc.execute-api.eu-central-1.amazonaws.com/api', publicApi: '',
  };
  const fields = (changes, secure = true) => validationErrors({ ...good, ...changes }, secure).map(([field]) => field);
  assert.deepEqual(fields({}), []);
  assert.deepEqual(fields({ endpoint: 'http://127.0.0.1:8000/api', publicApi: 'http://[::1]/api' }), []);
  assert.deepEqual(fields({ accessKeyId: '' }), ['access-key']);
  assert.deepEqual(fields({ accessKeyId: 'with space' }), ['access-key']);
  assert.deepEqual(fields({ accessKeyId: 'ASIAIOSFODNN7EXAMPLE' }), ['session-token']);
  assert.deepEqual(fields({ secretAccessKey: '', eventId: '', region: 'Frankfurt' }), ['secret-key', 'event-id', 'region']);
  assert.deepEqual(fields({ endpoint: 'http://room.example/api' }), ['private-api']);
  assert.deepEqual(fields({ endpoint: 'javascript:alert(1)', publicApi: 'room' }), ['private-api', 'public-api']);
  assert.deepEqual(fields({}, false), ['private-api']);
  for (const region of ['us-gov-west-1', 'ap-southeast-2', 'eusc-de-east-1']) assert.deepEqual(fields({ region }), []);
});

test('some errors require new keys, one requires the API’s time', () => {
  assert.equal(needsKeys({ kind: 'keys-expired' }), true);
  assert.equal(needsKeys({ kind: 'unreachable' }), false);
  assert.equal(needsKeys(null), false);
  assert.equal(offersApiTime({ kind: 'clock', ahead: -432 }), true);
  assert.equal(offersApiTime({ kind: 'clock', ahead: null }), false);
  assert.equal(offersApiTime({ kind: 'clock', ahead: 2 }), false);
});

test('the waiting note says that the queue is not moving', () => {
  const point = { waiting: 10, inQueue: 10, admissionRate: 0 };
  assert.equal(NOTES.waiting(point), 'The queue is not moving');
  assert.equal(NOTES.waiting({ ...point, admissionRate: 5 }), 'Last visitor’s turn in about 2 min');
  assert.equal(NOTES.waiting({ ...point, inQueue: 0 }), 'All of them may enter');
  assert.equal(NOTES.waiting({ ...point, waiting: 0, inQueue: 0 }), 'No one is waiting');
});

test('the serving note shows the distance to the end of the queue', () => {
  const note = (serving, queue) => NOTES.serving({ serving, queue, ahead: Math.max(0, serving - queue) });
  assert.deepEqual([note(0, 0), note(5, 5), note(5, 1205)], [
    'No one has joined yet', 'At the end of the queue', '1,200 to the end of the queue',
  ]);
  assert.match(note(10, 0), /^10 past the end of the queue/);
});

test('the inlet’s targets and last decision are described; unknown targets by their name', () => {
  assert.equal(targetText({ max_size: 1500, speed: 3 }), 'visitors on the site, at most 1,500; speed 3');
  assert.equal(lastRunText(null), 'No run yet.');
  assert.match(lastRunText({ at: 0, increment: 0, reason: 'the alarm is in ALARM' }), /admitted no one \(the alarm is in ALARM\)\.$/);
  assert.match(lastRunText({ at: 0, increment: 1, reason: '' }), /admitted 1 visitor\.$/);
});

test('the facts about a visitor depend on the state', () => {
  const found = { request_id: 'id', queue_number: 30, entry_time: 0, state: 'waiting' };
  const names = (more, metrics) => factsOf({ ...found, ...more }, metrics).map(([name]) => name);
  assert.ok(names({}, { serving: 10 }).includes('Turn comes in'));
  assert.deepEqual(factsOf(found, { serving: 10 }).find(([name]) => name === 'Turn comes in'), ['Turn comes in', '20 positions']);
  assert.ok(!names({ state: 'eligible' }, { serving: 40 }).includes('Turn comes in'));
  assert.ok(names({ state: 'eligible', expires_in: 9 }).includes('Turn ends in'));
  assert.ok(names({ state: 'token_issued', expires_in: 9 }).includes('Token valid for'));
});

test('a move far beyond the waiting visitors, a very large one and a move back need a confirmation', () => {
  const seen = (queue, serving = 0) => ({ serving, queue, served: Math.min(serving, queue), inQueue: Math.max(0, queue - serving) });
  assert.equal(confirmationFor(1, seen(0)), null);
  assert.equal(confirmationFor(10, seen(0)), null);
  assert.equal(confirmationFor(100, seen(100)), null);
  assert.equal(confirmationFor(150, seen(100)), null);
  assert.equal(confirmationFor(10_000, seen(20_000)), null);
  assert.match(confirmationFor(1_000, seen(110)).words, /^Only 110 visitors are waiting\. 0 → 1,000: 110 more visitors may enter; the next 890/);
  assert.match(confirmationFor(100, seen(0)).words, /^Only 0 visitors are waiting/);
  assert.match(confirmationFor(100, seen(50, 50)).title, /Admit 100\?/);
  assert.equal(confirmationFor(10_001, seen(20_000)).words, '0 → 10,001: 10,001 more visitors may enter.');
  assert.match(confirmationFor(-5, seen(20, 10)).words, /^Back: 10 → 5\. Visitors 6 to 10 /);
});

test('a move can be undone only while nothing else has moved', () => {
  const made = { by: 10, serving: 50, generation: 1 };
  assert.equal(canUndo(made, { serving: 50, generation: 1 }), true);
  assert.equal(canUndo(made, { serving: 51, generation: 1 }), false);
  assert.equal(canUndo(made, { serving: 50, generation: 2 }), false);
  assert.equal(canUndo(null, { serving: 50, generation: 1 }), false);
  assert.equal(canUndo(made, null), false);
});

test('the message’s length is counted in code points, without surrounding white space', () => {
  assert.equal(lengthOf('  👍👍 \n'), 2);
  assert.equal(lengthOf('x'.repeat(500)), 500);
  assert.deepEqual([remainingText(-1), remainingText(-2), remainingText(1), remainingText(500)], [
    '1 character too many.', '2 characters too many.', '1 character left.', 'Plain text, up to 500 characters.',
  ]);
});

test('a message is quoted in its own text direction, line by line', () => {
  assert.equal(quoted('a\nb'), '“\u2068a\u2069\n\u2068b\u2069”');
  assert.equal(currentMessageText(''), 'Visitors see no message.');
});

test('the waiting note estimates nothing while no position is served', () => {
  const note = (phase, more) => NOTES.waiting({ phase, waiting: 5, inQueue: 5, openTurns: 0, admissionRate: 1.25, ...more });
  assert.equal(note('open'), 'Last visitor’s turn in about 4 min');
  assert.deepEqual(['paused', 'pre_queue', 'scheduled', 'closed'].map((phase) => note(phase)), ['Paused', 'Not open yet', 'Not open yet', 'Closed']);
  assert.equal(note('paused', { inQueue: 0 }), 'All of them may enter');
});

test('labels of the time axis do not overlap, at any width and time', () => {
  const steps = [5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600];
  for (let size = 150; size <= 1_500; size += 10) {
    for (const range of [120, 240, 299, 300, 420, 480, 600, 3_600, 43_200, 86_400]) {
      const space = labelSpace(range, size);
      const step = steps.find((one) => (one * size) / range >= space) ?? steps.at(-1); // as uPlot chooses it
      const [width, apart] = [step < 60 ? 60 : 40, (step * size) / range];
      assert.ok(apart >= width || step === steps.at(-1), `${size} px, ${range} s: ${apart} px for a label of ${width} px`);
    }
  }
});

test('the charts say since when they have data', () => {
  assert.match(sinceText(0, 45, 600), /^This page has data since \d\d:\d\d:\d\d: 45 s of the chosen 10 min\.$/);
  assert.match(sinceText(0, 420, 43_200), /7 min of the chosen 12 h\. “Last 24 hours” has what is stored/);
  assert.match(sinceText(0, 700, 600), /^This page has data since \d\d:\d\d:\d\d\.$/);
});

test('the note of a day without points names both steps', () => {
  assert.match(NONE, /stores each minute .* a point for each five minutes\.$/);
});
