// SPDX-License-Identifier: Apache-2.0
/** The control panel: puts its parts together and decides which of the two views stands. */

import { AdmitCard } from './admit.js';
import { Charts } from './charts.js';
import { figuresCsv, fileName } from './csv.js';
import { Desk } from './panel-context.js';
import { announce, byId, download, write } from './dom.js';
import { Elsewhere } from './external-moves.js';
import { CallError } from './errors.js';
import { ExpiredCard } from './expired-tokens.js';
import { isNewer } from './metrics.js';
import { History } from './history.js';
import { InletCard } from './inlet.js';
import { ActionLog } from './log.js';
import { MessageCard } from './message.js';
import { FreshnessBar, offersApiTime, showFigures } from './metrics-view.js';
import { freshness, Poller } from './poller.js';
import { stopRepetitions } from './repeated-input.js';
import { ResetCard } from './reset.js';
import { signIn } from './session.js';
import { complain, forgetKeys, prefill, readForm } from './sign-in.js';
import { VisitorCard } from './visitor.js';

const history = new History();
const charts = new Charts(history);
const freshnessBar = new FreshnessBar();
const desk = new Desk({
  log: new ActionLog(() => desk.api?.eventId ?? 'event'),
  refresh: () => poller.refresh(),
  changed: () => poller.outdate(),
});
const elsewhere = new Elsewhere();
const admit = new AdmitCard(desk, elsewhere);
const message = new MessageCard(desk);
const inlet = new InletCard(desk);
const visitor = new VisitorCard(desk);
const expired = new ExpiredCard(desk, (requestId) => visitor.lookUp(requestId));
const reset = new ResetCard(desk);

let room = ''; // which room and event the history belongs to
let answeredAt = 0;
let failure = null;
let old = null; // why the latest answer was not shown: it was older than the figures that are
let renew = null; // signs in again with the same keys and another time
let ahead = 0; // seconds that this device's clock is ahead of the API's, when it was told

const poller = new Poller({
  ask: () => desk.api.figures(),
  answered: take,
  failed: (error) => {
    failure = error;
    showFreshness();
  },
});

function take(figures) {
  if (!isNewer(figures, desk.figures)) {
    old = new CallError('old', figures.toldAt === null
      ? 'The latest answer has no time, so it may be older than these figures.'
      : 'The latest answer is older than these figures: something between this page and the API keeps answers.');
    failure = null;
    showFreshness();
    return;
  }
  if (desk.figures && desk.figures.generation !== figures.generation) {
    for (const card of [visitor, expired]) card.clear(); // they show the line that was reset
    if (!desk.wasReset) desk.log.add('Reset elsewhere', 'seen', `Line ${figures.generation} stands now.`);
    desk.wasReset = false;
  }
  answeredAt = Date.now();
  failure = null;
  old = null;
  elsewhere.seen(figures, answeredAt);
  desk.figures = figures;
  showFigures(history.add(answeredAt / 1000, figures));
  charts.show();
  message.show(figures);
  admit.follow(figures);
  inlet.follow();
  showFreshness();
}

function showFreshness() {
  if (desk.api === null || document.visibilityState === 'hidden') return;
  const fresh = freshness({
    now: Date.now(),
    answeredAt,
    failing: failure !== null,
    paused: poller.paused,
    asking: poller.asking,
  });
  freshnessBar.show(fresh, failure ?? old, poller.nextIn);
}

async function enter(said) {
  const button = byId('sign-in-go');
  if (button.getAttribute('aria-disabled')) return;
  button.setAttribute('aria-disabled', 'true');
  write(button, 'Signing in…');
  complain('');
  try {
    const api = signIn({ ...said, ahead });
    open(api, said, await api.figures());
  } catch (error) {
    renew = () => {
      ahead = error.ahead;
      return enter(said);
    };
    complain(error.message, [], { apiTime: offersApiTime(error) });
  } finally {
    button.removeAttribute('aria-disabled');
    write(button, 'Sign in');
  }
}

function open(api, said, figures) {
  forgetKeys();
  const newRoom = `${said.endpoint} ${said.eventId}`;
  if (newRoom !== room) forgetRoom();
  room = newRoom;
  desk.api = api;
  desk.publicApi = said.publicApi;
  desk.figures = figures;
  renew = (error) => {
    ahead = error.ahead;
    desk.api = signIn({ ...said, ahead });
    poller.refresh();
  };
  byId('check-public').hidden = !said.publicApi;
  write(byId('event-name'), said.eventId);
  document.title = `${said.eventId} · Control panel`;
  showView(true);
  take(figures);
  desk.log.add('Sign in', 'done', `Signed in to ${said.eventId}.`);
  poller.start();
  byId('main').focus();
}

function leave(keepRoom) {
  desk.api = null;
  renew = null;
  poller.stop();
  byId('pause').setAttribute('aria-pressed', 'false');
  if (!keepRoom) forgetRoom();
  document.title = 'Control panel';
  showView(false);
  forgetKeys();
  complain('');
}

function forgetRoom() {
  room = '';
  failure = null;
  old = null;
  desk.figures = null;
  history.clear();
  desk.wasReset = false;
  elsewhere.clear();
  desk.log.clear();
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
  const { said, wrong } = readForm();
  if (wrong.length) complain(wrong[0][1], wrong.map(([field]) => field));
  else {
    ahead = 0;
    enter(said);
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
byId('figures-csv').addEventListener('click', () => {
  download(fileName(desk.api.eventId, 'figures', Date.now()), figuresCsv(history.points));
});
byId('read-settings').addEventListener('click', readSettings);
document.addEventListener('visibilitychange', () => poller.hide(document.visibilityState === 'hidden'));
window.addEventListener('pagehide', () => leave(false)); // a page kept for "back" keeps no keys
window.addEventListener('beforeunload', (event) => {
  if (desk.api !== null) event.preventDefault(); // the browser asks: keys, charts and log would be lost
});
poller.hide(document.visibilityState === 'hidden');
setInterval(showFreshness, 1000);

async function readSettings() {
  complain('');
  try {
    await prefill();
  } catch {
    complain('This page’s settings (config.json) could not be read. Try again, or enter the addresses yourself.', [], { settings: true });
  }
}

stopRepetitions(document);
byId('starting').hidden = true;
byId('sign-in').hidden = false;
readSettings();
