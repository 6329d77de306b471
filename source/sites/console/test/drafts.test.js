// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import test from 'node:test';
import { fakePage } from './fake-page.js';
import { Drafts } from '../page/drafts.js';
import { InletCard } from '../admission/inlet.js';
import { MessageCard } from '../visitors/message.js';

const card = (draft = null) => ({ draft });

test('input that was not sent is kept for each event and restored once', () => {
  const [message, number] = [card('Soon'), card()];
  const drafts = new Drafts([message, number]);
  drafts.keep('a');
  message.draft = null;
  number.draft = '12';
  drafts.keep('b');
  number.draft = null;
  drafts.restore('a');
  assert.deepEqual([message.draft, number.draft], ['Soon', null]);
  message.draft = null;
  drafts.restore('a');
  assert.equal(message.draft, null);
  drafts.restore('b');
  assert.equal(number.draft, '12');
});

test('input of a deleted event, or of another room, is forgotten', () => {
  const message = card('Soon');
  const drafts = new Drafts([message]);
  for (const end of [() => drafts.forget('a'), () => drafts.clear()]) {
    message.draft = 'Soon';
    drafts.keep('a');
    message.draft = null;
    end();
    drafts.restore('a');
    assert.equal(message.draft, null);
  }
});

function context(more) {
  return { showResult: () => {}, log: { add: () => {} }, publicApi: '', event: null, metrics: null, ...more };
}

test('only a message that was typed is a draft; it stays when the published message changes', () => {
  const { byId } = fakePage();
  const message = new MessageCard(context());
  message.show({ message: 'Published' });
  assert.equal(message.draft, null);
  assert.equal(byId('message-preview-box').hidden, true, 'the published message is no draft');
  byId('message').value = 'Half a sent';
  byId('message').listeners.input();
  assert.equal(byId('message-preview-box').hidden, false);
  const { draft } = message;
  message.clear();
  assert.deepEqual([message.draft, byId('message').value], [null, '']);
  message.draft = draft;
  message.show({ message: 'Published' });
  assert.equal(byId('message').value, 'Half a sent');
  assert.match(byId('message-now').textContent, /^Visitors see: /);
});

test('targets that were changed and not saved are restored; the others are the present ones', async () => {
  const { byId } = fakePage();
  const targets = { increment_by: 10, max_size: 5 };
  const api = { inlet: async () => ({ strategy: 'Periodic', paused: false, targets: { ...targets }, last: null }) };
  const inlet = new InletCard(context({ api }));
  const values = () => Object.fromEntries(byId('inlet-targets').querySelectorAll('input').map((one) => [one.getAttribute('name'), one.getAttribute('value')]));
  await inlet.read();
  for (const one of byId('inlet-targets').querySelectorAll('input')) Object.assign(one, { name: one.getAttribute('name'), value: one.getAttribute('value') });
  byId('inlet-targets').querySelectorAll('input')[0].value = '99';
  const { draft } = inlet;
  assert.deepEqual(draft, { increment_by: '99' });
  inlet.clear();
  targets.max_size = 7;
  inlet.draft = draft;
  await inlet.read();
  assert.deepEqual(values(), { increment_by: '99', max_size: '7' });
});
