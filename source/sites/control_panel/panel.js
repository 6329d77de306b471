// SPDX-License-Identifier: Apache-2.0
/** Control panel: connects its parts and switches between the two views. */

import { AdmitCard } from './admit.js';
import { Charts } from './charts.js';
import { metricsCsv, fileName } from './csv.js';
import { PanelContext } from './panel-context.js';
import { announce, byId, download, write } from './dom.js';
import { ExternalMoves } from './external-moves.js';
import { CallError } from './errors.js';
import { ExpiredCard } from './expired-tokens.js';
import { isNewer } from './metrics.js';
import { History } from './history.js';
import { InletCard } from './inlet.js';
import { ActionLog } from './log.js';
import { MessageCard } from './message.js';
import { FreshnessBar, offersApiTime, showMetrics } from './metrics-view.js';
import { freshness, Poller } from './poller.js';
import { blockRepeatedInput } from './repeated-input.js';
import { ResetCard } from './reset.js';
import { signIn } from './session.js';
import { showFormError, clearKeys, prefill, readForm } from './sign-in.js';
import { VisitorCard } from './visitor.js';

const history = new History();
const charts = new Charts(history);
const freshnessBar = new FreshnessBar();
const context = new PanelContext({
  log: new ActionLog(() => context.api?.eventId ?? 'event'),
  refresh: () => poller.refresh(),
  changed: () => poller.outdate(),
});
const externalMoves = new ExternalMoves();
const admit = new AdmitCard(context, externalMoves);
const message = new MessageCard(context);
const inlet = new InletCard(context);
const visitor = new VisitorCard(context);
const expired = new ExpiredCard(context, (requestId) => visitor.lookUp(requestId));
const reset = new ResetCard(context);

let room = ''; // room and event of the history
let receivedAt = 0;
let failure = null;
let discarded = null; // why the latest response was discarded: it is older than the metrics shown
let renew = null; // signs in again with the same keys and the API's time
let ahead = 0; // seconds by which this device's clock is ahead of the API's, if known

const poller = new Poller({
  request: () => context.api.metrics(),
  received: take,
  failed: (error) => {
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
  showMetrics(history.add(receivedAt / 1000, metrics));
  charts.show();
  message.show(metrics);
  admit.follow(metrics);
  inlet.follow();
  showFreshness();
}

function showFreshness() {
  if (context.api === null || document.visibilityState === 'hidden') return;
  const fresh = freshness({
    now: Date.now(),
    receivedAt,
    failing: failure !== null,
    paused: poller.paused,
    pending: poller.pending,
  });
  freshnessBar.show(fresh, failure ?? discarded, poller.nextIn);
}

async function enter(form) {
  const button = byId('sign-in-go');
  if (button.getAttribute('aria-disabled')) return;
  button.setAttribute('aria-disabled', 'true');
  write(button, 'Signing in…');
  showFormError('');
  try {
    const api = signIn({ ...form, ahead });
    open(api, form, await api.metrics());
  } catch (error) {
    renew = () => {
      ahead = error.ahead;
      return enter(form);
    };
    showFormError(error.message, [], { apiTime: offersApiTime(error) });
  } finally {
    button.removeAttribute('aria-disabled');
    write(button, 'Sign in');
  }
}

function open(api, form, metrics) {
  clearKeys();
  const newRoom = `${form.endpoint} ${form.eventId}`;
  if (newRoom !== room) clearRoom();
  room = newRoom;
  context.api = api;
  context.publicApi = form.publicApi;
  context.metrics = metrics;
  renew = (error) => {
    ahead = error.ahead;
    context.api = signIn({ ...form, ahead });
    poller.refresh();
  };
  byId('check-public').hidden = !form.publicApi;
  write(byId('event-name'), form.eventId);
  document.title = `${form.eventId} · Control panel`;
  showView(true);
  take(metrics);
  context.log.add('Sign in', 'done', `Signed in to ${form.eventId}.`);
  poller.start();
  byId('main').focus();
}

function leave(keepRoom) {
  context.api = null;
  renew = null;
  poller.stop();
  byId('pause').setAttribute('aria-pressed', 'false');
  if (!keepRoom) clearRoom();
  document.title = 'Control panel';
  showView(false);
  clearKeys();
  showFormError('');
}

function clearRoom() {
  room = '';
  failure = null;
  discarded = null;
  context.metrics = null;
  history.clear();
  context.wasReset = false;
  externalMoves.clear();
  context.log.clear();
  for (const card of [admit, message, inlet, visitor, expired, reset]) card.clear();
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
byId('sign-out').addEventListener('click', () => {
  leave(false);
  announce('Signed out. The keys are deleted from this page.');
  byId('access-key').focus();
});
byId('sign-in-again').addEventListener('click', () => {
  leave(true);
  byId('access-key').focus();
});
byId('refresh').addEventListener('click', () => poller.refresh());
byId('try-now').addEventListener('click', () => poller.refresh());
byId('pause').addEventListener('click', () => {
  poller.pause(!poller.paused);
  byId('pause').setAttribute('aria-pressed', String(poller.paused));
  showFreshness();
});
byId('metrics-csv').addEventListener('click', () => {
  download(fileName(context.api.eventId, 'metrics', Date.now()), metricsCsv(history.points));
});
byId('read-settings').addEventListener('click', readSettings);
document.addEventListener('visibilitychange', () => poller.hide(document.visibilityState === 'hidden'));
window.addEventListener('pagehide', () => leave(false)); // a page in the back-forward cache must not keep keys
window.addEventListener('beforeunload', (event) => {
  if (context.api !== null) event.preventDefault(); // the browser asks for confirmation: keys, charts and log would be lost
});
poller.hide(document.visibilityState === 'hidden');
setInterval(showFreshness, 1000);

async function readSettings() {
  showFormError('');
  try {
    await prefill();
  } catch {
    showFormError('This page’s settings (config.json) could not be read. Try again, or enter the addresses yourself.', [], { settings: true });
  }
}

blockRepeatedInput(document);
byId('starting').hidden = true;
byId('sign-in').hidden = false;
readSettings();
