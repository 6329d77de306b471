// SPDX-License-Identifier: Apache-2.0
/** The inlet: which strategy lets visitors in by itself, its targets, and pausing it. */

import { cardOf } from './desk.js';
import { byId, make, write } from './dom.js';
import { count, some, time } from './format.js';

export const EVERY = 30; // seconds between looks at the inlet, apart from the figures

export const STRATEGIES = {
  Periodic: 'lets a fixed number of visitors in each minute',
  MaxSize: 'keeps the site full: whoever leaves makes room for the next',
  Automatic: 'keeps as many visitors inside as the target says, as fast as the site allows',
};
export const TARGETS = {
  increment_by: ['Visitors per minute', 'let in each minute'],
  max_size: ['Visitors inside, at most', 'active tokens and open places'],
  active: ['Visitors inside, aimed at', 'active tokens'],
  per_minute: ['New visitors per minute, at most', ''],
  min_per_minute: ['New visitors per minute, at least', 'also while the site reports trouble'],
};

export class InletCard {
  #desk;
  #card = cardOf(byId('inlet-form'));
  #shown = null;
  #timer = null;

  constructor(desk) {
    this.#desk = desk;
    byId('inlet-form').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#saveTargets();
    });
    byId('inlet-pause').addEventListener('click', () => this.#pause(!this.#shown.paused));
    byId('inlet-reload').addEventListener('click', () => this.look(true));
  }

  /** Look now, and every half minute while the page is seen and not paused. */
  start(goesOn) {
    this.stop();
    this.look();
    this.#timer = setInterval(() => goesOn() && this.look(), EVERY * 1000);
  }

  stop() {
    clearInterval(this.#timer);
    this.#timer = null;
  }

  clear() {
    this.#shown = null;
    this.#desk.tell(this.#card, 'done', '');
    this.#none('Looking for an inlet…');
  }

  /** Ask which inlet runs. `aloud`: the operator asked, so answer in any case. */
  async look(aloud = false) {
    const { api } = this.#desk;
    if (api === null || this.#card.dataset.busy) return;
    try {
      const answer = await api.inlet();
      if (api !== this.#desk.api || this.#card.dataset.busy) return;
      this.#show(answer);
      if (aloud) this.#desk.tell(this.#card, 'done', `As of ${time(Date.now())}.`);
    } catch (error) {
      if (api !== this.#desk.api) return;
      if (error.status === 404) {
        this.#shown = null;
        this.#none('No inlet runs for this event: the serving position moves by hand.');
      } else if (this.#shown === null || aloud) {
        if (this.#shown === null) this.#none('Not known.');
        this.#desk.tell(this.#card, 'refused', error.message);
      }
    }
  }

  async #pause(paused) {
    const answer = await this.#desk.act(this.#card, paused ? 'Pause the inlet' : 'Resume the inlet',
      (api) => api.changeInlet({ paused }),
      (now) => (now.paused ? 'The inlet is paused: it lets nobody in.' : 'The inlet runs again.'));
    if (answer) this.#show(answer);
  }

  async #saveTargets() {
    const targets = {};
    for (const input of byId('inlet-targets').querySelectorAll('input')) {
      // what is no number goes as it is: the API says what it takes
      const text = input.value.trim();
      targets[input.name] = /^-?\d{1,15}$/.test(text) ? Number(text) : text;
    }
    const answer = await this.#desk.act(this.#card, 'Change the inlet’s targets',
      (api) => api.changeInlet({ targets }),
      (now) => `The targets are now: ${targetWords(now.targets)}.`);
    if (answer) this.#show(answer, true);
  }

  #none(words) {
    byId('inlet-body').hidden = true;
    byId('inlet-state').hidden = true;
    byId('inlet-none').hidden = false;
    write(byId('inlet-none'), words);
  }

  #show(inlet, saved = false) {
    const before = this.#shown;
    this.#shown = inlet;
    byId('inlet-none').hidden = true;
    byId('inlet-body').hidden = false;
    byId('inlet-state').hidden = false;
    byId('inlet-state').dataset.state = inlet.paused ? 'paused' : 'live';
    write(byId('inlet-state'), inlet.paused ? 'Paused' : 'Running');
    write(byId('inlet-what'), `${inlet.strategy}: ${STRATEGIES[inlet.strategy] ?? 'a strategy this page does not know'}.`);
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

/** The inlet's last decision in words. */
export function lastWords(last) {
  if (!last) return 'It has decided nothing yet.';
  const did = last.increment > 0 ? `let ${some(last.increment, 'visitor')} in` : 'let nobody in';
  return `At ${time(last.at * 1000)} it ${did}${last.reason ? `: ${last.reason}` : ''}.`;
}
