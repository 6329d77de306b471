// SPDX-License-Identifier: Apache-2.0
/** The figures at the top, and how fresh they are. */

import { announce, byId, write } from './dom.js';
import { minutesToEmpty } from './metrics.js';
import { count, rate, some, span } from './format.js';

const RATES = new Set(['joinRate', 'admissionRate']);

/** Write the figures of a point of the history. */
export function showFigures(point) {
  for (const place of document.querySelectorAll('[data-figure]')) {
    const name = place.dataset.figure;
    write(place, RATES.has(name) ? rate(point[name]) : count(point[name]));
    place.toggleAttribute('data-stale', point.stale.includes(name));
  }
  showUpkeep(point);
  for (const place of document.querySelectorAll('[data-note]')) {
    write(place, NOTES[place.dataset.note](point));
  }
}

let told = ''; // what was said last of figures that are not kept up

/** What keeps the figures right, when it last succeeded, and which figures are wrong without it. */
function showUpkeep(point) {
  write(byId('upkeep'), [
    `Sweep: ${ago(point.sweepAge)}`,
    `Reconciliation: ${ago(point.reconciliationAge)}`,
    `Last admission: ${point.admissionAge === null ? 'none recently' : ago(point.admissionAge)}`,
  ].join(' · '));
  const words = staleWords(point);
  byId('not-kept-up').hidden = words === '';
  write(byId('not-kept-up'), words);
  if (words && !told) announce(words);
  told = words;
}

const LABELS = { waiting: 'Waiting', placesOpen: 'Open turns', positionsExpired: 'Expired turns' };

/** What is wrong, in words; empty while the figures are kept up. */
export function staleWords({ stale, sweepAge, reconciliationAge }) {
  if (stale.length === 0) return '';
  const names = Object.keys(LABELS).filter((name) => stale.includes(name)).map((name) => LABELS[name]);
  return `Not up to date: ${names.join(', ')}. Last sweep: ${ago(sweepAge)}. `
    + `Last reconciliation: ${ago(reconciliationAge)}. See the log of the function sweep_positions.`;
}

function ago(age) {
  return age === null ? 'unknown' : `${span(age)} ago`;
}

/** Lines under the large figures; empty where there is nothing to add. */
export const NOTES = {
  serving: (point) => {
    if (point.ahead > 0) return `${count(point.ahead)} past the end of the queue: new visitors go straight in`;
    if (point.queue === 0) return 'No one has joined yet';
    const left = point.queue - point.serving;
    return left === 0 ? 'At the end of the queue' : `${count(left)} to the end of the queue`;
  },
  waiting: (point) => {
    if (point.waiting === 0) return 'No one is waiting';
    if (point.inLine === 0) return 'All of them may enter';
    const minutes = minutesToEmpty(point, point.admissionRate);
    if (minutes === null) return 'The queue is not moving';
    return `Last visitor’s turn in about ${minutes < 1 ? '1 min' : span(Math.round(minutes) * 60)}`;
  },
  placesOpen: (point) => (point.placesOpen > 0 ? 'Called, no token yet' : 'No open turns'),
  active: (point) => (point.tokens > 0 ? `Of ${some(point.tokens, 'token')} issued` : 'No tokens issued yet'),
};

/** Where the page stands: live, paused, or stale and why. Announces changes, never each second. */
export class FreshnessBar {
  #said = '';

  /** `reason`: the error that keeps the figures from coming, or null; `nextIn`: seconds to the next try. */
  show({ state, age }, reason = null, nextIn = 0) {
    byId('state').dataset.state = state;
    byId('figures').dataset.state = state;
    write(byId('state-words'), {
      live: age < 2 ? 'Live' : `Live · ${span(age)} ago`,
      paused: `Paused · ${span(age)} ago`,
      stale: `Out of date · ${span(age)} ago`,
    }[state]);
    if (state !== 'stale' && byId('stale').contains(document.activeElement)) byId('refresh').focus();
    byId('stale').hidden = state !== 'stale';
    if (state === 'stale') {
      write(byId('stale-age'), `The figures are ${span(age)} old.`);
      const again = reason && !needsKeys(reason) && nextIn >= 1 ? ` Retrying in ${span(nextIn)}.` : '';
      write(byId('stale-words'), `${reason?.message ?? 'No newer figures have arrived.'}${again}`);
      byId('try-now').hidden = needsKeys(reason);
      byId('sign-in-again').hidden = !needsKeys(reason);
      byId('go-on-with-api-time').hidden = !offersApiTime(reason);
    }
    this.#announce(state, reason);
  }

  #announce(state, reason) {
    const saying = state === 'stale' ? `stale ${reason?.kind}` : state;
    if (saying === this.#said) return;
    const first = this.#said === '';
    this.#said = saying;
    if (state === 'stale') announce(`The figures are out of date. ${reason?.message ?? ''}`);
    else if (!first) announce(state === 'live' ? 'The figures are live again.' : 'Updates are paused.');
  }
}

/** Whether going on takes other keys. */
export function needsKeys(error) {
  return ['keys', 'keys-expired', 'rights', 'region'].includes(error?.kind);
}

/** Whether the API's own time would help. */
export function offersApiTime(error) {
  return error?.kind === 'clock' && error.ahead !== null && Math.abs(error.ahead) >= 60;
}
