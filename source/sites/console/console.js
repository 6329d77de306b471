// SPDX-License-Identifier: Apache-2.0
/**
 * Console: connects its parts and switches between the two views. The module has more than 300 lines:
 * the parts share the state of one sign-in and of one event.
 */

import { AdmitCard } from './admission/admit.js';
import { Charts } from './live/charts.js';
import { DayHistory } from './live/day-history.js';
import { metricsCsv, fileName } from './page/csv.js';
import { ConsoleContext } from './page/console-context.js';
import { announce, byId, download, write } from './page/dom.js';
import { Drafts } from './page/drafts.js';
import { EventEditor } from './events/edit/editor.js';
import { EventCard } from './events/event-card.js';
import { EventList } from './events/event-list.js';
import { isEventId, nameOf, replacementOf } from './events/events.js';
import { ExternalMoves } from './admission/external-moves.js';
import { CallError, isUnknownEvent } from './api/errors.js';
import { ExpiredCard } from './visitors/expired-tokens.js';
import { isNewer } from './live/metrics.js';
import { History } from './live/history.js';
import { InletCard } from './admission/inlet.js';
import { ActionLog } from './live/log.js';
import { LiveView } from './live/live-view.js';
import { MessageCard } from './visitors/message.js';
import { FreshnessBar, offersApiTime, showMetrics } from './live/metrics-view.js';
import { firstRead, readLimited } from './api/first-read.js';
import { freshness, Poller } from './live/poller.js';
import { blockRepeatedInput } from './page/repeated-input.js';
import { ResetCard } from './admission/reset.js';
import { RuleTester } from './rules/rule-tester.js';
import { ProviderSignIn } from './sign-in/provider-sign-in.js';
import { signIn, signInWith } from './sign-in/session.js';
import { showFormError, clearKeys, prefill, readForm } from './sign-in/form.js';
import { VisitorCard } from './visitors/visitor.js';

const ONCE_BUTTONS = '#panel [data-once]:not(#editor) button'; // that change something
const history = new History();
const charts = new Charts(history);
const freshnessBar = new FreshnessBar();
const context = new ConsoleContext({
  log: new ActionLog(() => context.api?.eventId ?? 'event'),
  refresh: () => poller.refresh(),
  changed: () => poller.outdate(),
});
const editor = new EventEditor(context, edited, (eventId) => eventList.find(eventId) !== null);
const eventList = new EventList(context, choose, () => editor.create(), followList);
const eventCard = new EventCard(context, editor, shown, deleted);
const live = new LiveView(context);
const dayHistory = new DayHistory(context);
const externalMoves = new ExternalMoves();
const admit = new AdmitCard(context, externalMoves);
const message = new MessageCard(context);
const inlet = new InletCard(context);
const visitor = new VisitorCard(context);
const expired = new ExpiredCard(context, (requestId) => visitor.lookUp(requestId));
const reset = new ResetCard(context);
const ruleTester = new RuleTester(context);
const drafts = new Drafts([message, admit, visitor, inlet]);

let room = ''; // address of the private API
let ownEvent = ''; // event of the deployment
let signedIn = null; // the form of the sign-in, with the chosen event
let receivedAt = 0;
let failure = null;
let discarded = null; // why the latest response was discarded: it is older than the metrics shown
let renew = null; // signs in again with the same keys and the API's time
let session = null; // of an operator who signed in at the provider
let operator = null; // who that is, also after the sign-in has ended
let ahead = 0; // seconds by which this device's clock is ahead of the API's, if known

const provider = new ProviderSignIn({ entered, failed: showSignInError, signedOut: signedOutElsewhere });

const poller = new Poller({
  request: () => (context.limited ? readLimited(context.api, context.publicApi) : context.api.metrics()),
  received: (response) => (context.limited ? takeLimited(response) : take(response)),
  failed: (error) => {
    if (isUnknownEvent(error)) {
      eventCard.read(); // only the document tells: an API that has not seen a new event yet says the same
      return;
    }
    failure = error;
    showFreshness();
  },
});

function take(metrics) {
  if (!isNewer(metrics, context.metrics)) {
    discarded = new CallError('old', metrics.serverTime === null
      ? 'The latest response has no time, so it may be older than these metrics.'
      : 'The latest response is older than these metrics: something between this page and the API caches responses.');
    failure = null;
    showFreshness();
    return;
  }
  if (context.metrics && context.metrics.generation !== metrics.generation) {
    for (const card of [visitor, expired]) card.clear(); // they show the previous generation
    if (!context.wasReset) context.log.add('Reset elsewhere', 'seen', `Generation ${metrics.generation} has started.`);
    context.wasReset = false;
  }
  receivedAt = Date.now();
  failure = null;
  discarded = null;
  externalMoves.observe(metrics, receivedAt);
  context.metrics = metrics;
  context.serverClock.observe(metrics.serverTime);
  showMetrics(history.add(receivedAt / 1000, metrics));
  charts.show();
  message.show(metrics);
  admit.follow(metrics);
  inlet.follow();
  eventList.showOwn(context.api.eventId, metrics);
  followEvents();
  showFreshness();
}

/** Take the document and the numbers that keys for one event can read. */
function takeLimited({ event, numbers }) {
  receivedAt = Date.now();
  failure = null;
  context.limitedNumbers = numbers;
  eventCard.show(event);
  followEvents();
  showFreshness();
}

function followEvents() {
  eventCard.showNumbers();
  followList();
  eventList.follow();
}

/** Read the document of the chosen event again if the list has another version of it. */
function followList() {
  if (!context.gone) eventCard.follow(eventList.find(context.api.eventId), context.metrics?.phase);
}

/** A document of the chosen event is shown. */
function shown(event) {
  live.show(event);
  admit.show();
  inlet.showStrategy();
  const row = eventList.find(event.event_id);
  if (row && row.version < event.version) eventList.read();
}

/** The chosen event was deleted: here, with its document, or elsewhere (null). No call is made for it any more. */
function deleted(event) {
  if (context.gone || context.api === null) return;
  const { eventId } = context.api;
  context.gone = true;
  stopUpdates();
  drafts.forget(eventId);
  for (const button of document.querySelectorAll(ONCE_BUTTONS)) button.toggleAttribute('data-forbidden', true);
  eventCard.showGone(eventId);
  live.showGone();
  admit.show();
  showFreshness();
  if (event === null) context.log.add('Deleted elsewhere', 'seen', `${eventId} no longer exists.`);
  showAnother(event);
}

/** Read the list again; after a deletion of this page, show another event. */
async function showAnother(event) {
  const { api } = context;
  await eventList.read();
  const next = event && replacementOf(event.event_id, ownEvent, eventList.ids);
  if (!next || context.api !== api) return;
  const first = await firstRead(api.of(next), context.publicApi).catch(() => null);
  if (first === null || context.api !== api) return;
  open(api.of(next), { ...signedIn, eventId: next }, first);
  const words = `${nameOf(event)} was deleted. The console shows ${next} now.`;
  context.showResult(eventCard.card, 'done', words);
  announce(words);
}

/** An event was saved: a new one is chosen, an edited one can be restored. */
async function edited(after, before) {
  eventList.read();
  if (before === null) await choose(after.event_id);
  else if (after.event_id === context.api?.eventId) eventCard.edited(after, before);
  const words = `${nameOf(after)} was saved.`;
  const { card } = after.event_id === context.api?.eventId ? eventCard : eventList;
  context.showResult(card, 'done', words);
  card.querySelector('.result').scrollIntoView({ block: 'nearest' });
  announce(words);
}

/** Show another event, with the same keys. */
async function choose(eventId) {
  const { api } = context;
  if (api === null || (eventId === api.eventId && !context.gone)) return;
  if (document.querySelector('[data-busy]')) {
    context.showResult(eventList.card, 'refused', 'Wait for the response of the API first.');
    return;
  }
  const next = api.of(eventId);
  const first = await context.runQuery(eventList.card, `Show ${eventId}`,
    () => firstRead(next, context.publicApi), () => `Showing ${eventId}.`);
  if (first === null || context.api !== api) return;
  context.showResult(eventList.card, 'done', '');
  stopUpdates();
  open(next, { ...signedIn, eventId }, first);
}

function stopUpdates() {
  poller.stop();
  byId('pause').setAttribute('aria-pressed', 'false');
}

function showFreshness() {
  if (context.api === null || document.visibilityState === 'hidden') return;
  if (context.gone) {
    freshnessBar.showGone();
    return;
  }
  const fresh = freshness({
    now: Date.now(),
    receivedAt,
    failing: failure !== null,
    paused: poller.paused,
    pending: poller.pending,
  });
  freshnessBar.show(fresh, failure ?? discarded, poller.nextIn);
}

/** Sign in with the keys of the form, or with the session of an operator. */
async function enter(form, entering = null) {
  const button = byId('sign-in-go');
  if (button.getAttribute('aria-disabled')) return;
  button.setAttribute('aria-disabled', 'true');
  write(button, 'Signing in…');
  showFormError('');
  try {
    const api = apiOf(form, entering);
    const first = await firstRead(api, form.publicApi);
    session = entering;
    operator = entering?.operator ?? null;
    open(api, form, first);
    context.log.add('Sign in', 'done', `Signed in to ${form.eventId}.`);
    byId('main').focus({ preventScroll: true });
    window.scrollTo(0, 0); // the state comes first
  } catch (error) {
    renew = () => {
      ahead = error.ahead;
      return enter(form, entering);
    };
    showFormError(error.message, [], { apiTime: offersApiTime(error) });
    if (!offersApiTime(error)) entering?.forget();
  } finally {
    button.removeAttribute('aria-disabled');
    write(button, 'Sign in');
  }
}

function apiOf(form, entering) {
  return entering ? signInWith(entering, provider.settings, { ...form, ahead }) : signIn({ ...form, ahead });
}

/** An operator has signed in at the provider; the page goes on if it is the same one as before. */
async function entered(fresh, form) {
  const same = operator?.subject === fresh.operator.subject && operator.issuer === fresh.operator.issuer;
  if (context.api === null || !same) {
    if (context.api !== null) leave(false);
    await enter(form, fresh);
    return;
  }
  session.forget();
  session = fresh;
  context.api = apiOf(signedIn, session);
  context.log.add('Sign in', 'done', 'Signed in again.');
  announce('Signed in again.');
  poller.refresh();
}

function showSignInError(error) {
  if (context.api === null) showFormError(error.message);
  else {
    failure = error;
    showFreshness();
  }
  if (!error.kind) console.error(error); // a defect of this page
}

function signedOutElsewhere({ issuer, subject }) {
  if (operator?.subject !== subject || operator.issuer !== issuer) return;
  session?.drop();
  leave(false);
  showFormError('You signed out in another window of this browser.');
}

async function signOut() {
  const [ending, who] = [session, operator];
  session = null;
  leave(false);
  announce('Signed out. The keys are deleted from this page.');
  focusSignIn();
  if (ending === null) return;
  try {
    await provider.end(ending, who);
  } catch {
    showFormError('The keys are deleted from this page, but the provider did not confirm that your other sign-ins have ended. You may still be signed in at the provider in this browser. Sign in and out again, or close the browser and ask an administrator.');
  }
}

function focusSignIn() {
  byId(byId('provider').hidden ? 'access-key' : 'provider-go').focus();
}

function open(api, form, { metrics = null, limited = null }) {
  clearKeys();
  if (form.endpoint !== room) clearRoom();
  else if (form.eventId !== signedIn?.eventId || context.gone) {
    if (!context.gone) drafts.keep(signedIn.eventId);
    clearEvent();
    drafts.restore(form.eventId);
  }
  room = form.endpoint;
  signedIn = form;
  context.api = api;
  context.publicApi = form.publicApi;
  context.metrics = metrics;
  context.limited = limited !== null;
  renew = (error) => {
    ahead = error.ahead;
    context.api = apiOf(signedIn, session);
    poller.refresh();
  };
  showEvent(form.eventId);
  showView(true);
  showOperator();
  eventCard.begin(form.eventId);
  if (limited) takeLimited(limited);
  else take(metrics);
  dayHistory.read();
  poller.start();
}

/** Show the id of the event in title, sign-in form and address, and the parts that the keys allow. */
function showEvent(eventId) {
  byId('check-public').hidden = !context.publicApi;
  write(byId('event-name'), eventId);
  document.title = `${eventId} · Console`;
  byId('event-id').value = eventId;
  window.history.replaceState(null, '', `?${new URLSearchParams({ event: eventId })}`);
  for (const part of document.querySelectorAll('[data-full]')) part.hidden = context.limited;
  byId('limited').hidden = !context.limited;
  eventList.mark(eventId);
}

/** Show who has signed in, with which role; with IAM keys, the page does not know. */
function showOperator() {
  byId('operator').hidden = !session?.name;
  if (session?.name) write(byId('operator'), `${session.name} · ${session.role ?? 'role unknown'}`);
}

function leave(keepRoom) {
  context.api = null;
  session?.forget();
  session = null;
  operator = null;
  renew = null;
  stopUpdates();
  if (!keepRoom) clearRoom();
  document.title = 'Console';
  showView(false);
  clearKeys();
  showFormError('');
}

function clearRoom() {
  room = '';
  signedIn = null;
  context.log.clear();
  eventList.clear();
  editor.close();
  ruleTester.clear();
  drafts.clear();
  clearEvent();
}

function clearEvent() {
  if (context.limited) ruleTester.clearResult(); // it was that of one event
  failure = null;
  discarded = null;
  context.metrics = null;
  context.gone = false;
  for (const button of document.querySelectorAll(ONCE_BUTTONS)) button.removeAttribute('data-forbidden');
  context.limitedNumbers = null;
  history.clear();
  dayHistory.clear();
  live.clear();
  context.wasReset = false;
  externalMoves.clear();
  for (const card of [eventCard, admit, message, inlet, visitor, expired, reset]) card.clear();
}

function showView(inside) {
  byId('sign-in-view').hidden = inside;
  byId('panel').hidden = !inside;
  byId('top-tools').hidden = !inside;
  byId('event-name').hidden = !inside;
}

byId('sign-in').addEventListener('submit', (event) => {
  event.preventDefault();
  const { form, wrong } = readForm();
  if (wrong.length) showFormError(wrong[0][1], wrong.map(([field]) => field));
  else {
    ahead = 0;
    enter(form);
  }
});
byId('use-api-time').addEventListener('click', () => renew?.());
byId('go-on-with-api-time').addEventListener('click', () => renew?.(failure));
byId('sign-out').addEventListener('click', async () => {
  if (!(await editor.mayClose('Sign out and discard the changes?'))) return;
  await signOut();
});
byId('sign-in-again').addEventListener('click', () => {
  if (operator !== null) {
    provider.start(signedIn, { keep: true });
    return;
  }
  leave(true);
  byId('access-key').focus();
});
byId('provider-go').addEventListener('click', () => {
  const { form, wrong } = readForm({ keys: false });
  if (wrong.length) showFormError(wrong[0][1], wrong.map(([field]) => field));
  else {
    ahead = 0;
    showFormError('');
    provider.start(form, { keep: room !== '' });
  }
});
byId('refresh').addEventListener('click', () => {
  if (context.gone) eventList.read({ requested: true });
  else {
    poller.refresh();
    live.refresh();
  }
});
byId('try-now').addEventListener('click', () => poller.refresh());
byId('pause').addEventListener('click', () => {
  if (context.gone) return;
  poller.pause(!poller.paused);
  byId('pause').setAttribute('aria-pressed', String(poller.paused));
  showFreshness();
});
byId('metrics-csv').addEventListener('click', () => {
  download(fileName(context.api.eventId, 'metrics', Date.now()), metricsCsv(history.points));
});
byId('read-settings').addEventListener('click', readSettings);
window.addEventListener('online', () => poller.retry());
document.addEventListener('visibilitychange', () => poller.hide(document.visibilityState === 'hidden'));
window.addEventListener('pagehide', () => leave(false)); // a page in the back-forward cache must not keep keys
window.addEventListener('beforeunload', (event) => {
  if (context.api !== null) event.preventDefault(); // the browser asks for confirmation: keys, charts and log would be lost
});
poller.hide(document.visibilityState === 'hidden');
setInterval(() => {
  showFreshness();
  session?.keep();
  showOperator();
  if (context.api === null || document.visibilityState === 'hidden') return;
  eventList.tick(poller.paused);
  if (context.gone) {
    eventList.follow();
    return;
  }
  eventCard.tick(poller.paused);
  dayHistory.tick(poller.paused);
  live.tick(poller.paused);
}, 1000);

async function readSettings() {
  showFormError('');
  try {
    const { signIn: settings, waitingRoom, eventId } = await prefill();
    ownEvent = eventId;
    provider.use(settings);
    eventCard.pageAddress = waitingRoom;
    editor.pageAddress = waitingRoom;
  } catch {
    showFormError('This page’s settings (config.json) could not be read. Try again, or enter the addresses yourself.', [], { settings: true });
  }
}

const asked = new URLSearchParams(window.location.search).get('event') ?? '';
if (isEventId(asked)) byId('event-id').value = asked;
blockRepeatedInput(document);
byId('starting').hidden = true;
byId('sign-in').hidden = false;
readSettings();
