// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import test from 'node:test';
import { explain, requestOf } from '../../../edge/explanation.js';
import { MAX_ROWS, ORDER, factsOf, isPath, parsePairs, requestText, resultText, rowsOf, ruleText, rulesText, siteOf } from '../rules/tested-request.js';

const NOW = 1_800_000_000;
const document = (id, { schedule = {}, control = {}, ...members }) => ({
  event_id: id, title: '', phase: 'open', mode: 'queue', version: 1, protect: [], bypass: [], ...members,
  schedule: { pre_queue_at: null, opens_at: null, closes_at: null, after: 'closed', ...schedule },
  control: { paused_at: null, draining_since: null, closed_at: null, ...control },
  session: { renew_every: 300 }, site: { origins: ['https://app.example'] },
});
const SALE = document('sale', {
  title: 'Spring sale', protect: [{ path: '/checkout' }], bypass: [{ header: 'x-staff: 3f0c9a1d5b7e4c26' }],
});

/** Sentence and facts of a request. */
function tested(documents, address, { unread = [], ...more } = {}) {
  const request = requestOf({ address, ...more });
  const byId = Object.fromEntries(documents.map((one) => [one.event_id, one]));
  const found = explain(request, byId, NOW);
  return [resultText(found, byId, unread), Object.fromEntries(factsOf(request, found, byId, unread)), found];
}

test('a protected address has its rule, the reading and the responses', () => {
  const [sentence, facts] = tested([SALE], 'https://shop.example/a/..//CHECKOUT?x=1');
  assert.equal(sentence, 'Protected by Spring sale (sale): a visitor needs a session.');
  assert.deepEqual(facts, {
    Request: 'GET shop.example/a/..//CHECKOUT?x=1',
    'Deciding rule': 'path /checkout',
    'Matching reading': '/CHECKOUT (one of 5)',
    'State of the event': 'Needs a session (phase: open)',
    'Page without a session': 'Redirect to the waiting room (302, no_session)',
    'Script without a session': 'Refused (403, no_session)',
  });
});

test('a bypass rule is named, and its secret is not shown', () => {
  const headers = [['X-Staff', '3f0c9a1d5b7e4c26']];
  const [sentence, facts, found] = tested([SALE], 'https://shop.example/checkout', { headers });
  assert.equal(sentence, 'Open to all: a bypass rule of Spring sale (sale) lets it pass, and no other event protects it.');
  assert.deepEqual(facts, {
    Request: 'GET shop.example/checkout', 'Bypass rule': 'header x-staff: 3f0c…',
  });
  assert.deepEqual(rowsOf(found.rules), [
    ['1', 'sale', 'protect', 'path /checkout', 'Matches, but a bypass rule of this event lets it pass'],
    ['2', 'sale', 'bypass', 'header x-staff: 3f0c…', 'Lets it pass'],
  ]);
});

test('the sentence has the state of the event', () => {
  const text = (members) => {
    const [sentence, facts] = tested([document('sale', { ...members, protect: [{ path: '/' }] })], 'https://a/');
    return [sentence, facts['State of the event']];
  };
  assert.match(text({ mode: 'pass_through' })[0], /^Open to all now: sale protects it/);
  assert.match(text({ mode: 'pass_through', schedule: { closes_at: NOW + 60 } })[1], /^Open to all, until/);
  assert.match(text({ schedule: { closes_at: NOW } })[0], /which is closed/);
  const [later, state] = text({ schedule: { opens_at: NOW + 60 } });
  assert.match(later, /which is not open yet\.$/);
  assert.match(state, /^Not open yet, opens/);
  const [now, after] = text({ schedule: { closes_at: NOW + 60, after: 'pass_through' } });
  assert.match(now, /needs a session\.$/);
  assert.match(after, /^Needs a session, open to all from/);
});

test('without a protecting rule the address is open to all', () => {
  assert.match(tested([SALE], 'https://a/')[0], /^Open to all: no rule protects it\.$/);
  assert.match(tested([], 'https://a/')[0], /^Open to all: no event is behind a gate\./);
  assert.match(tested([SALE], 'https://a/_waiting-room/enter')[0], /belongs to the waiting room itself\.$/);
  const [sentence, facts] = tested([SALE], 'https://a/', { unread: ['vip'] });
  assert.equal(sentence, 'No event that these keys may read protects it.');
  assert.match(facts['Not checked'], /^vip: /);
});

test('each kind of response has words', () => {
  const facts = (more) => tested([SALE], 'https://a/checkout', more)[1];
  assert.match(facts({ method: 'POST' })['Page without a session'], /without the form \(303/);
  assert.match(facts({ userAgent: 'Googlebot' })['Page without a session'], /\(503, crawler\)/);
  const preflight = (origin) => facts({
    method: 'OPTIONS', headers: [['Origin', origin], ['Access-Control-Request-Method', 'POST']],
  })['Script without a session'];
  assert.match(preflight('https://app.example'), /allows .* \(204\)/);
  assert.match(preflight('https://x.example'), /refuses .* \(403\)/);
  assert.equal(tested([SALE], 'https://a/%00')[1]['Matching reading'], 'none: the path cannot be read, so it counts as the path of every rule');
  const open = document('sale', { mode: 'pass_through', protect: [{ path: '/' }] });
  assert.equal(tested([open], 'https://a/')[1]['Page without a session'], 'Goes to the site');
});

test('the fail mode of the event is shown where the gate opens', () => {
  const facts = (mode) => tested([{ ...SALE, session: { renew_every: 300, when_unreachable: mode } }], 'https://a/checkout')[1];
  assert.equal(facts('open')['While the room does not respond'], 'The watchdog opens the gate');
  assert.equal(facts('closed')['While the room does not respond'], undefined);
});

test('lines of headers and cookies are pairs', () => {
  assert.deepEqual(parsePairs('X-A: 1:2\r\n\n  b :\n', ':'), { pairs: [['X-A', '1:2'], ['b', '']] });
  assert.deepEqual(parsePairs('', '='), { pairs: [] });
  assert.deepEqual(parsePairs('a=1\nb', '='), { wrong: 2 });
  assert.deepEqual(parsePairs('=1', '='), { wrong: 1 });
});

test('a rule is one line; short values are no secrets', () => {
  assert.equal(ruleText({ path: '/a', methods: ['GET', 'POST'], user_agent: 'Bot' }), 'path /a, methods GET POST, user_agent Bot');
  assert.equal(ruleText({ header: 'x-beta' }), 'header x-beta');
  assert.equal(ruleText({ cookie: 'beta=1' }), 'cookie beta=1');
  assert.equal(ruleText({ cookie: 'staff=3f0c9a1d5b7e4c26' }), 'cookie staff=3f0c…');
});

test('the log has no query, and a long path is cut', () => {
  assert.equal(requestText(requestOf({ address: 'https://a/b?token=1', method: 'post' })), 'POST a/b');
  assert.equal(requestText(requestOf({ address: `https://a/${'x'.repeat(500)}` })).length, 'GET a'.length + 121);
});

test('the table has the matching rules first, and an end', () => {
  const many = Array.from({ length: 40 }, (_, at) => document(`e${at}`, {
    protect: [{ path: '/checkout/deep/er' }, { path: `/only/${at}`, methods: ['POST'] }, { path: '/' }],
  }));
  const [, , found] = tested(many, 'https://a/checkout');
  const rows = rowsOf(found.rules);
  assert.equal(found.rules.length, 120);
  assert.equal(rows.length, MAX_ROWS);
  assert.equal(rows[0][4], 'Decides');
  assert.equal(rows[39][4], 'Matches, but a rule before it decides');
  assert.equal(rows[40][4], 'Does not match: path');
  assert.notEqual(rows[0][0], '1');
});

test('a path is tested at the site of the event, and the facts say at which', () => {
  assert.deepEqual(['/checkout', ' /a', '//host/a', 'https://a/', 'shop.example/a', ''].map(isPath), [true, true, false, false, false, false]);
  assert.deepEqual(siteOf(SALE), { site: 'https://app.example', why: 'the first origin of Spring sale (sale)' });
  assert.deepEqual(siteOf({ ...document('b', {}), site: { origins: [], hosts: ['www.example'] } }), { site: 'https://www.example', why: 'the first host of b' });
  const placeholder = siteOf(null);
  assert.equal(placeholder.site, 'https://site.example');
  const request = requestOf({ address: `${placeholder.site}/checkout` });
  const facts = Object.fromEntries(factsOf(request, explain(request, { sale: SALE }, NOW), { sale: SALE }, [], placeholder));
  assert.equal(facts['Site of the path'], 'https://site.example (a placeholder: a rule with a host does not match it)');
  assert.equal(facts['Deciding rule'], 'path /checkout');
});

test('the table says what its numbers mean', () => {
  assert.equal(rulesText(1), 'Show 1 rule');
  assert.equal(rulesText(MAX_ROWS + 1), 'Show 100 of 101 rules');
  assert.match(ORDER, /1 is compared first.*match are listed first/);
});
