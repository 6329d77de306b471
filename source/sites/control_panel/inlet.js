// SPDX-License-Identifier: Apache-2.0
/** The inlet: which strategy lets visitors in by itself, how it stands, its targets, and pausing it. */

import { cardOf } from './panel-context.js';
import { byId, make, write } from './dom.js';
import { count, rate, some, span, time } from './format.js';

export const EVERY = 30; // seconds between looks for an inlet while there is none
export const SILENT = 180; // seconds without a run after which an inlet counts as stopped
const REPORT_LIFE = 120; // seconds that a site's own report holds

export const STRATEGIES = {
  Periodic: 'lets in a fixed number of visitors each minute',
  MaxSize: 'keeps the site full: each visitor who leaves makes room for the next',
  Automatic: 'fills the site up to the target, as fast as the site allows',
};
export const TARGETS = {
  increment_by: ['Visitors per minute', ''],
  max_size: ['Visitors on the site, at most', 'active tokens and open turns'],
  active: ['Visitors on the site, target', 'active tokens'],
  per_minute: ['New visitors per minute, at most', ''],
  min_per_minute: ['New visitors per minute, at least', 'even when the site reports problems'],
};

export class InletCard {
  #desk;
  #card = cardOf(byId('inlet-form'));
  #shown = null;
  #lookedAt = -Infinity;
  #turn = 0; // counts looks and changes: an answer to an earlier one is out of date

  constructor(desk) {
    this.#desk = desk;
    byId('inlet-form').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#saveTargets();
    });
    byId('inlet-pause').addEventListener('click', () => this.#shown && this.#pause(!this.#shown.paused));
    byId('inlet-reload').addEventListener('click', () => this.look(true));
  }

  /** Look with each refresh of the figures; now and then where there is no inlet. */
  follow() {
    if (this.#shown !== null || performance.now() - this.#lookedAt >= EVERY * 1000) this.look();
  }

  clear() {
    this.#shown = null;
    this.#lookedAt = -Infinity;
    this.#desk.tell(this.#card, 'done', '');
    this.#none('Checking for an inlet…');
  }

  /** Ask which inlet runs. `aloud`: the operator asked, so answer in any case. */
  async look(aloud = false) {
    const { api } = this.#desk;
    if (api === null || this.#card.dataset.busy) return;
    this.#lookedAt = performance.now();
    this.#turn += 1;
    const turn = this.#turn;
    try {
      const answer = await api.inlet();
      if (api !== this.#desk.api || turn !== this.#turn) return;
      this.#show(answer);
      if (aloud) this.#desk.tell(this.#card, 'done', 'Up to date.');
    } catch (error) {
      if (api !== this.#desk.api || turn !== this.#turn) return;
      if (error.status === 404 && error.own) {
        this.#shown = null;
        this.#none('No inlet is running for this event. The serving position is moved by hand.');
      } else {
        if (this.#shown === null) this.#none('Unknown.');
        else this.#stand({ state: 'stale', words: 'Unknown' });
        if (this.#shown === null || aloud) this.#desk.tell(this.#card, 'refused', error.message);
      }
    }
  }

  async #pause(paused) {
    this.#turn += 1;
    await this.#desk.act(this.#card, paused ? 'Pause the inlet' : 'Resume the inlet',
      (api) => api.changeInlet({ paused }),
      (now) => (now.paused ? 'The inlet is paused and lets no one in.' : 'The inlet is running again.'),
      { then: (now) => this.#show(now) });
  }

  async #saveTargets() {
    const targets = {};
    for (const input of byId('inlet-targets').querySelectorAll('input')) {
      // what is no number goes as it is: the API says what it takes
      const text = input.value.trim();
      targets[input.name] = /^-?\d{1,15}$/.test(text) ? Number(text) : text;
    }
    this.#turn += 1;
    await this.#desk.act(this.#card, 'Change the inlet’s targets',
      (api) => api.changeInlet({ targets }),
      (now) => `New targets: ${targetWords(now.targets)}.`,
      { then: (now) => this.#show(now, true) });
  }

  #none(words) {
    byId('inlet-body').hidden = true;
    byId('inlet-state').hidden = true;
    byId('inlet-none').hidden = false;
    write(byId('inlet-none'), words);
  }

  #stand({ state, words }) {
    byId('inlet-state').hidden = false;
    byId('inlet-state').dataset.state = state;
    write(byId('inlet-state'), words);
  }

  #show(inlet, saved = false) {
    const before = this.#shown;
    const now = (this.#desk.figures?.toldAt ?? Date.now()) / 1000;
    this.#shown = inlet;
    byId('inlet-none').hidden = true;
    byId('inlet-body').hidden = false;
    this.#stand(standing(inlet, now));
    write(byId('inlet-what'), `${inlet.strategy}: ${STRATEGIES[inlet.strategy] ?? 'unknown to this page'}.`);
    const brakes = brakeWords(inlet, now);
    byId('inlet-brake').hidden = brakes === '';
    byId('inlet-brake').dataset.state = inlet.alarm?.brakes || inlet.alarm?.state === 'MISSING' ? 'warn' : '';
    write(byId('inlet-brake'), brakes);
    write(byId('inlet-last'), lastWords(inlet.last));
    write(byId('inlet-pause'), inlet.paused ? 'Resume inlet' : 'Pause inlet');
    this.#fields(before?.targets ?? {}, inlet.targets, saved);
  }

  /** Fields follow what stands; what the operator typed and did not save stays. */
  #fields(before, targets, saved) {
    const place = byId('inlet-targets');
    const names = inOrder(targets);
    if (names.join() !== [...place.querySelectorAll('input')].map((input) => input.name).join()) {
      place.replaceChildren(...names.map((name) => field(name, targets[name])));
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

/** The names of targets, always in the same order; those that are not known here come last. */
function inOrder(targets) {
  const known = Object.keys(TARGETS).filter((name) => name in targets);
  return [...known, ...Object.keys(targets).filter((name) => !(name in TARGETS)).sort()];
}

/** Targets in words. */
export function targetWords(targets) {
  return inOrder(targets)
    .map((name) => `${(TARGETS[name]?.[0] ?? name).toLowerCase()} ${count(targets[name])}`)
    .join('; ');
}

/** How an inlet stands, as the state of its chip and in words. `now` is in epoch seconds. */
export function standing(inlet, now) {
  const { alarm, last, paused, strategy } = inlet;
  if (paused) return { state: 'paused', words: 'Paused' };
  if (!last) return { state: 'paused', words: 'Not started' };
  if (/start time has not come/.test(last.reason)) return { state: 'paused', words: 'Scheduled' };
  if (/end time has passed/.test(last.reason)) return { state: 'paused', words: 'Ended' };
  if (strategy !== 'MaxSize' && now - last.at > SILENT) {
    return { state: 'stale', words: `No run for ${span(now - last.at)}` };
  }
  if (alarm?.state === 'MISSING') return { state: 'stale', words: 'Alarm missing' };
  if (alarm?.brakes) {
    return strategy === 'Automatic' ? { state: 'paused', words: 'Slowed' } : { state: 'stale', words: 'Held by alarm' };
  }
  if (strategy === 'Automatic' && isUnwell(inlet.health, now)) return { state: 'paused', words: 'Slowed' };
  return { state: 'live', words: 'Running' };
}

const ALARM_STATES = {
  OK: 'OK',
  ALARM: 'in ALARM',
  INSUFFICIENT_DATA: 'has insufficient data',
  MISSING: 'does not exist',
  UNREADABLE: 'cannot be read',
};

/** What slows or holds the inlet, and how its alarm stands; empty where there is no alarm. */
export function brakeWords({ alarm, paused, pace_per_minute: pace, health, strategy }, now) {
  const slowed = Number.isFinite(pace) ? `Slowed to ${rate(pace)}/min` : 'Slowed';
  if (!alarm) {
    if (strategy !== 'Automatic' || paused || !isUnwell(health, now)) return '';
    return now - health.at > REPORT_LIFE
      ? `${slowed}: no report from the site for ${span(now - health.at)}.`
      : `${slowed}: the site reports a health of ${Math.round(health.value * 100)}%.`;
  }
  const state = ALARM_STATES[alarm.state];
  if (!state) return `Alarm ${alarm.name}: not checked while the inlet is stopped.`;
  if (!alarm.brakes) return alarm.state === 'OK' ? `Alarm ${alarm.name}: OK.` : `Alarm ${alarm.name} ${state}; the inlet continues.`;
  const why = alarm.state === 'ALARM' ? `alarm ${alarm.name}` : `alarm ${alarm.name} ${state}`;
  return strategy === 'Automatic' ? `${slowed}: ${why}.` : `No one is let in: ${why}${alarm.state === 'ALARM' ? ' is in ALARM' : ''}.`;
}

function isUnwell(health, now) {
  return Boolean(health) && (health.value < 1 || now - health.at > REPORT_LIFE);
}

/** The inlet's last decision in words. */
export function lastWords(last) {
  if (!last) return 'No run yet.';
  const did = last.increment > 0 ? `let in ${some(last.increment, 'visitor')}` : 'let no one in';
  return `Last run ${time(last.at * 1000)}: ${did}${last.reason ? ` (${last.reason})` : ''}.`;
}
