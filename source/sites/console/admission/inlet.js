// SPDX-License-Identifier: Apache-2.0
/** Card of the inlet: its strategy, state and targets, and the pause button. */

import { cardOf } from '../page/console-context.js';
import { byId, make, write } from '../page/dom.js';
import { automaticStrategy } from '../events/events.js';
import { count, some, span, time } from '../page/format.js';

export const RETRY_INTERVAL = 30; // seconds between look-ups while it is not known whether there is an inlet
export const LOOKUP_INTERVAL = 600; // seconds between look-ups while there is no inlet
export const MAX_RUN_AGE = 180; // seconds without a run after which an inlet counts as stopped

export const STRATEGIES = {
  Periodic: 'admits a fixed number of visitors each minute',
  MaxSize: 'keeps the site full: admits one visitor for each visitor who leaves',
};
export const TARGETS = {
  increment_by: ['Visitors per minute', ''],
  max_size: ['Visitors on the site, at most', 'active tokens and open turns'],
};

export class InletCard {
  #context;
  #card = cardOf(byId('inlet-form'));
  #shown = null;
  #missing = false; // the API said that there is no inlet
  #draft = {}; // input to restore when the inlet is shown
  #readAt = -Infinity;
  #sequence = 0; // number of the latest call: a response to an earlier call is discarded

  constructor(context) {
    this.#context = context;
    byId('inlet-form').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#saveTargets();
    });
    byId('inlet-pause').addEventListener('click', () => this.#shown && this.#pause(!this.#shown.paused));
    byId('inlet-reload').addEventListener('click', () => this.read(true));
  }

  /** Read the inlet with each refresh of the metrics; less often while there is none. */
  follow() {
    const interval = this.#missing ? LOOKUP_INTERVAL : RETRY_INTERVAL;
    if (this.#shown !== null || performance.now() - this.#readAt >= interval * 1000) this.read();
    else this.showStrategy();
  }

  /** Without an inlet, say what moves the serving position. */
  showStrategy() {
    if (this.#missing) write(byId('inlet-none'), noInletText(automaticStrategy(this.#context.event)));
  }

  /** The targets that the operator changed and did not save, by name, or null. */
  get draft() {
    const changed = [...byId('inlet-targets').querySelectorAll('input')]
      .filter((input) => this.#shown && input.value !== String(this.#shown.targets[input.name]))
      .map((input) => [input.name, input.value]);
    return changed.length ? Object.fromEntries(changed) : null;
  }

  set draft(values) {
    this.#draft = values;
  }

  clear() {
    this.#sequence += 1;
    this.#shown = null;
    this.#missing = false;
    this.#draft = {};
    byId('inlet-targets').replaceChildren();
    this.#readAt = -Infinity;
    this.#context.showResult(this.#card, 'done', '');
    this.#none('Checking for an inlet…');
  }

  /** Read the inlet. `requested`: the operator pressed the button, so show a result in any case. */
  async read(requested = false) {
    const { api } = this.#context;
    if (api === null || this.#card.dataset.busy) return;
    this.#readAt = performance.now();
    this.#sequence += 1;
    const sequence = this.#sequence;
    try {
      const response = await api.inlet();
      if (api !== this.#context.api || sequence !== this.#sequence) return;
      this.#show(response);
      if (requested) this.#context.showResult(this.#card, 'done', 'Up to date.');
    } catch (error) {
      if (api !== this.#context.api || sequence !== this.#sequence) return;
      if ([400, 404].includes(error.status) && error.own) { // 400: an inlet belongs to the event of the deployment
        this.#shown = null;
        this.#missing = true;
        this.#none('');
        this.showStrategy();
      } else {
        if (this.#shown === null) this.#none('Unknown.');
        else this.#showState({ state: 'stale', words: 'Unknown' });
        if (this.#shown === null || requested) this.#context.showResult(this.#card, 'refused', error.message);
      }
    }
  }

  async #pause(paused) {
    this.#sequence += 1;
    await this.#context.runAction(this.#card, paused ? 'Pause the inlet' : 'Resume the inlet',
      (api) => api.changeInlet({ paused }),
      (now) => (now.paused ? 'The inlet is paused and admits no one.' : 'The inlet is running again.'),
      { then: (now) => this.#show(now) });
  }

  async #saveTargets() {
    const targets = {};
    for (const input of byId('inlet-targets').querySelectorAll('input')) {
      // send invalid numbers unchanged: the API's error message names the rule
      const text = input.value.trim();
      targets[input.name] = /^-?\d{1,15}$/.test(text) ? Number(text) : text;
    }
    this.#sequence += 1;
    await this.#context.runAction(this.#card, 'Change the inlet’s targets',
      (api) => api.changeInlet({ targets }),
      (now) => `New targets: ${targetText(now.targets)}.`,
      { then: (now) => this.#show(now, true) });
  }

  #none(words) {
    byId('inlet-body').hidden = true;
    byId('inlet-state').hidden = true;
    byId('inlet-none').hidden = false;
    write(byId('inlet-none'), words);
  }

  #showState({ state, words }) {
    byId('inlet-state').hidden = false;
    byId('inlet-state').dataset.state = state;
    write(byId('inlet-state'), words);
  }

  #show(inlet, saved = false) {
    const before = this.#shown;
    this.#missing = false;
    const now = (this.#context.metrics?.serverTime ?? Date.now()) / 1000;
    this.#shown = inlet;
    byId('inlet-none').hidden = true;
    byId('inlet-body').hidden = false;
    this.#showState(inletState(inlet, now));
    write(byId('inlet-what'), `${inlet.strategy}: ${STRATEGIES[inlet.strategy] ?? 'unknown to this page'}.`);
    const brakes = alarmText(inlet);
    byId('inlet-alarm').hidden = brakes === '';
    byId('inlet-alarm').dataset.state = inlet.alarm?.brakes || inlet.alarm?.state === 'MISSING' ? 'warn' : '';
    write(byId('inlet-alarm'), brakes);
    write(byId('inlet-last'), lastRunText(inlet.last));
    write(byId('inlet-pause'), inlet.paused ? 'Resume inlet' : 'Pause inlet');
    this.#fields(before?.targets ?? {}, inlet.targets, saved);
  }

  /** Update the fields; unsaved input of the operator stays. */
  #fields(before, targets, saved) {
    const place = byId('inlet-targets');
    const names = inOrder(targets);
    if (names.join() !== [...place.querySelectorAll('input')].map((input) => input.name).join()) {
      place.replaceChildren(...names.map((name) => field(name, this.#draft[name] ?? targets[name])));
      this.#draft = {};
      return;
    }
    for (const input of place.querySelectorAll('input')) {
      const untouched = input.value === String(before[input.name]);
      if (saved || untouched) input.value = String(targets[input.name]);
    }
  }
}

function field(name, value) {
  const [label, hint] = TARGETS[name] ?? [name, ''];
  const id = `target-${name}`;
  return make('div', {},
    make('label', { for: id }, label, ...(hint ? [' ', make('span', { class: 'hint' }, hint)] : [])),
    make('input', { id, name, type: 'text', inputmode: 'numeric', value: String(value) }));
}

/** Return the target names in a fixed order; unknown names come last. */
function inOrder(targets) {
  const known = Object.keys(TARGETS).filter((name) => name in targets);
  return [...known, ...Object.keys(targets).filter((name) => !(name in TARGETS)).sort()];
}

/** Describe what moves the serving position without an inlet; `strategy`: that of automatic admission, or empty. */
export function noInletText(strategy) {
  return `No inlet is running for this event. The serving position is moved by ${strategy ? `automatic admission (${strategy})` : 'hand'}.`;
}

/** Describe targets. */
export function targetText(targets) {
  return inOrder(targets)
    .map((name) => `${(TARGETS[name]?.[0] ?? name).toLowerCase()} ${count(targets[name])}`)
    .join('; ');
}

/** State of an inlet: state of its chip, and text. `now` is in epoch seconds. */
export function inletState(inlet, now) {
  const { alarm, last, paused, strategy } = inlet;
  if (paused) return { state: 'paused', words: 'Paused' };
  if (!last) return { state: 'paused', words: 'Not started' };
  if (/start time has not come/.test(last.reason)) return { state: 'paused', words: 'Scheduled' };
  if (/end time has passed/.test(last.reason)) return { state: 'paused', words: 'Ended' };
  if (strategy !== 'MaxSize' && now - last.at > MAX_RUN_AGE) {
    return { state: 'stale', words: `No run for ${span(now - last.at)}` };
  }
  if (alarm?.state === 'MISSING') return { state: 'stale', words: 'Alarm missing' };
  if (alarm?.brakes) return { state: 'stale', words: 'Held by alarm' };
  return { state: 'live', words: 'Running' };
}

const ALARM_STATES = {
  OK: 'OK',
  ALARM: 'in ALARM',
  INSUFFICIENT_DATA: 'has insufficient data',
  MISSING: 'does not exist',
  UNREADABLE: 'cannot be read',
};

/** Describe the alarm and its effect on the inlet; empty without an alarm. */
export function alarmText({ alarm }) {
  if (!alarm) return '';
  const state = ALARM_STATES[alarm.state];
  if (!state) return `Alarm ${alarm.name}: not checked while the inlet is stopped.`;
  if (!alarm.brakes) return alarm.state === 'OK' ? `Alarm ${alarm.name}: OK.` : `Alarm ${alarm.name} ${state}; the inlet continues.`;
  const why = alarm.state === 'ALARM' ? `alarm ${alarm.name}` : `alarm ${alarm.name} ${state}`;
  return `No one is admitted: ${why}${alarm.state === 'ALARM' ? ' is in ALARM' : ''}.`;
}

/** Describe the inlet's last decision. */
export function lastRunText(last) {
  if (!last) return 'No run yet.';
  const did = last.increment > 0 ? `admitted ${some(last.increment, 'visitor')}` : 'admitted no one';
  return `Last run ${time(last.at * 1000)}: ${did}${last.reason ? ` (${last.reason})` : ''}.`;
}
