// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import test from 'node:test';
import { fakePage } from './fake-page.js';
import { AdmitCard, confirmationFor, externalMoveText } from '../admission/admit.js';
import { InletCard, LOOKUP_INTERVAL, RETRY_INTERVAL, noInletText } from '../admission/inlet.js';
import { CallError } from '../api/errors.js';
import { admissionRefusal, automaticStrategy } from '../events/events.js';

const METRICS = { serving: 0, queue: 0, served: 0, inQueue: 0, openTurns: 0, generation: 1, phase: 'open' };

test('the serving position moves in the phases in which the API moves it', () => {
  for (const phase of ['open', 'draining', '', 'unheard']) assert.equal(admissionRefusal(phase), '', phase);
  assert.equal(admissionRefusal('paused'), 'Admission is not possible while the event is paused. Resume it first.');
  assert.equal(admissionRefusal('pre_queue'), 'Admission is not possible in the pre-queue. Open the event first.');
  for (const phase of ['scheduled', 'closed', 'pass_through']) assert.match(admissionRefusal(phase), /^Admission is not possible /);
});

function admitCard(phase) {
  const page = fakePage();
  const button = page.byId('plus');
  button.dataset.by = '10';
  page.card.found['[data-by]'] = [button];
  page.card.found['button:not([data-again])'] = [button];
  const context = {
    gone: false, phase, event: null, metrics: METRICS, api: { increment: () => assert.fail('a call') },
    showResult: () => {}, endRefusal: () => {}, refuse: (_card, ...words) => { context.refused = words; },
    runAction: async () => { context.sent = true; return null; },
  };
  const card = new AdmitCard(context, { last: null });
  card.show();
  return { card, button, context, page };
}

test('in another phase, the buttons are marked, name the reason and send nothing', async () => {
  const { card, button, context, page } = admitCard('paused');
  assert.equal(button.getAttribute('data-forbidden'), '');
  assert.equal(button.getAttribute('aria-describedby'), 'admit-reason');
  assert.match(page.byId('admit-reason').textContent, /paused\. Resume it first\.$/);
  await button.listeners.click();
  assert.equal(context.sent, undefined);
  assert.deepEqual(context.refused, [admissionRefusal('paused'), 'paused']);
  context.phase = 'open';
  card.show();
  assert.equal(button.getAttribute('data-forbidden'), null);
  assert.equal(button.getAttribute('aria-describedby'), null);
  await button.listeners.click();
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(context.sent, true);
});

test('a confirmation has the number of the metrics, or names the difference', () => {
  const few = (more) => confirmationFor(1_000, { ...METRICS, ...more }).words;
  assert.match(few({ queue: 5, inQueue: 5 }), /^Only 5 visitors are waiting\. /);
  assert.match(few({ serving: 5, queue: 5, served: 5, openTurns: 5 }),
    /^Only 0 visitors wait behind the serving position; 5 visitors have their turn and did not enter yet\. /);
});

test('a move and a missing inlet name automatic admission if the event has it', () => {
  assert.equal(automaticStrategy({ admission: { strategy: 'rate' } }), 'rate');
  for (const event of [null, {}, { admission: { strategy: 'manual' } }]) assert.equal(automaticStrategy(event), '');
  const move = { from: 0, to: 1, at: 0 };
  assert.match(externalMoveText(move, 'rate'), /^Moved from 0 to 1 by automatic admission \(rate\) or another operator/);
  assert.match(externalMoveText(move), /^Moved from 0 to 1 by an inlet or another operator/);
  assert.match(noInletText('rate'), /The serving position is moved by automatic admission \(rate\)\.$/);
  assert.match(noInletText(''), /moved by hand\.$/);
});

test('after the answer that there is no inlet, the next look-up is much later', async (t) => {
  fakePage();
  let now = 0;
  t.mock.method(performance, 'now', () => now * 1000);
  let [calls, error] = [0, new CallError('silent', 'No response.')];
  const api = { inlet: async () => { calls += 1; throw error; } };
  const card = new InletCard({ api, event: null, metrics: null, showResult: () => {} });
  const follow = async (seconds) => {
    now += seconds;
    card.follow();
    await new Promise((resolve) => setImmediate(resolve));
    return calls;
  };
  assert.equal(await follow(0), 1);
  assert.equal(await follow(RETRY_INTERVAL), 2, 'it is not known whether there is an inlet');
  error = new CallError('refused', 'No inlet.', { status: 404, own: true });
  assert.equal(await follow(RETRY_INTERVAL), 3);
  assert.equal(await follow(RETRY_INTERVAL), 3);
  assert.equal(await follow(LOOKUP_INTERVAL - 2 * RETRY_INTERVAL), 3);
  assert.equal(await follow(RETRY_INTERVAL), 4);
  assert.equal(LOOKUP_INTERVAL, 600);
  card.clear(); // another event
  assert.equal(await follow(1), 5);
});
