// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import test from 'node:test';
import { fakePage } from './fake-page.js';
import { CallError, explain } from '../api/errors.js';
import { ConsoleContext } from '../page/console-context.js';

function opened() {
  const page = fakePage();
  const logged = [];
  const context = new ConsoleContext({
    log: { add: (...entry) => logged.push(entry) }, refresh: () => {}, changed: () => {},
  });
  context.api = {};
  return { ...page, context, logged };
}
const refused = (phase) => explain({ status: 409, body: { error: 'no', reason: phase }, changes: true });
const act = ({ context, card }, error, more) => context.runAction(card, 'Pause', async () => { if (error) throw error; return {}; }, () => 'Done.', more);

test('a refusal because of a phase ends with that phase', async () => {
  const page = opened();
  await act(page, refused('paused'));
  assert.equal(page.result.textContent, 'The event is paused, and this phase does not allow the change.');
  page.context.endRefusalsOf('paused');
  assert.equal(page.result.hidden, false, 'the reason is the phase that is shown');
  page.context.endRefusalsOf('open');
  assert.equal(page.result.hidden, true);
});

test('a refusal for another reason stays when the phase changes, and ends when a field changes', () => {
  const page = opened();
  page.context.refuse(page.card, 'Enter a whole number.');
  page.context.endRefusalsOf('open');
  assert.equal(page.result.hidden, false);
  const field = page.byId('admit-by');
  field.setAttribute('aria-invalid', 'true');
  page.input(field);
  assert.equal(page.result.hidden, true);
  assert.equal(field.getAttribute('aria-invalid'), null);
});

test('a result that is no refusal stays when a field changes', async () => {
  const page = opened();
  await act(page, null);
  page.input(page.byId('admit-by'));
  assert.equal(page.result.textContent, 'Done.');
});

test('a refusal ends at the next attempt', async () => {
  const page = opened();
  page.context.refuse(page.card, 'Enter a whole number.');
  let seen = null;
  await page.context.runAction(page.card, 'Admit', async () => { seen = page.result.hidden; return {}; }, () => 'Done.');
  assert.equal(seen, true);
});

test('the input of a form without a result, such as the sign-in, changes nothing', () => {
  const page = opened();
  page.card.found = {};
  page.byId('access-key').setAttribute('aria-invalid', 'true');
  page.input(page.byId('access-key'));
  assert.equal(page.byId('access-key').getAttribute('aria-invalid'), 'true');
});

test('an unconfirmed call says where its effect is seen', async () => {
  const page = opened();
  const lost = new CallError('silent', 'No response within 10 s.', { unconfirmed: true });
  await act(page, lost, { check: 'the visitors’ view' });
  assert.equal(page.result.textContent, 'No response within 10 s. It may have taken effect. Check the visitors’ view before you try again.');
  await act(page, lost);
  assert.match(page.result.textContent, /Check the metrics before/);
  page.card.id = 'editor';
  await act(page, lost);
  assert.match(page.result.textContent, /Check the event before/);
});

test('a deleted event gets no change', async () => {
  const page = opened();
  page.context.gone = true;
  let calls = 0;
  await page.context.runAction(page.card, 'Pause', async () => { calls += 1; }, () => '');
  assert.equal(calls, 0);
  assert.match(page.result.textContent, /^This event no longer exists\./);
});
