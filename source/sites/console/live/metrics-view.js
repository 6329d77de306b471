// SPDX-License-Identifier: Apache-2.0
/** Metrics at the top of the page, and their age. */

import { announce, byId, write } from '../page/dom.js';
import { minutesToEmpty } from './metrics.js';
import { count, rate, some, span } from '../page/format.js';

const RATES = new Set(['joinRate', 'admissionRate']);

/** Show the metrics of a point of the history. */
export function showMetrics(point) {
  for (const place of document.querySelectorAll('[data-metric]')) {
    const name = place.dataset.metric;
    write(place, RATES.has(name) ? rate(point[name]) : count(point[name]));
    place.toggleAttribute('data-stale', point.stale.includes(name));
  }
  showUpkeep(point);
  for (const place of document.querySelectorAll('[data-note]')) {
    write(place, NOTES[place.dataset.note](point));
  }
}

let announced = ''; // the latest announcement about outdated metrics

/** Show the age of the last sweep, reconciliation and admission, and the outdated metrics. */
function showUpkeep(point) {
  write(byId('upkeep'), [
    `Sweep: ${ago(point.sweepAge)}`,
    `Reconciliation: ${ago(point.reconciliationAge)}`,
    `Last admission: ${point.admissionAge === null ? 'none recently' : ago(point.admissionAge)}`,
  ].join(' · '));
  const words = staleText(point);
  byId('not-kept-up').hidden = words === '';
  write(byId('not-kept-up'), words);
  if (words && !announced) announce(words);
  announced = words;
}

const LABELS = { waiting: 'Waiting', openTurns: 'Open turns', positionsExpired: 'Expired turns' };

/** Describe the outdated metrics; empty if all are up to date. */
export function staleText({ stale, sweepAge, reconciliationAge }) {
  if (stale.length === 0) return '';
  const names = Object.keys(LABELS).filter((name) => stale.includes(name)).map((name) => LABELS[name]);
  return `Not up to date: ${names.join(', ')}. Last sweep: ${ago(sweepAge)}. `
    + `Last reconciliation: ${ago(reconciliationAge)}. See the log of the function sweep_positions.`;
}

function ago(age) {
  return age === null ? 'unknown' : `${span(age)} ago`;
}

const STANDING = { scheduled: 'Not open yet', pre_queue: 'Not open yet', paused: 'Paused', closed: 'Closed' }; // phases in which no position is served

/** Notes under the large metrics. */
export const NOTES = {
  serving: (point) => {
    if (point.ahead > 0) return `${count(point.ahead)} past the end of the queue: new visitors go straight in`;
    if (point.queue === 0) return 'No one has joined yet';
    const left = point.queue - point.serving;
    return left === 0 ? 'At the end of the queue' : `${count(left)} to the end of the queue`;
  },
  waiting: (point) => {
    if (point.waiting === 0) return 'No one is waiting';
    if (point.inQueue === 0 && point.phase !== 'closed') return 'All of them may enter';
    if (point.phase in STANDING) return STANDING[point.phase];
    const minutes = minutesToEmpty(point, point.admissionRate);
    if (minutes === null) return 'The queue is not moving';
    return `Last visitor’s turn in about ${minutes < 1 ? '1 min' : span(Math.round(minutes) * 60)}`;
  },
  openTurns: (point) => (point.openTurns > 0 ? 'Served, no token yet' : 'No open turns'),
  active: (point) => (point.tokens > 0 ? `Of ${some(point.tokens, 'token')} issued` : 'No tokens issued yet'),
};

/** State of the page: live, paused, or stale with the reason. Announces only changes of the state. */
export class FreshnessBar {
  #announced = '';

  /** Show that the event was deleted, so that it has no new metrics. */
  showGone() {
    this.#announced = '';
    byId('state').dataset.state = 'stale';
    byId('metrics').dataset.state = 'stale';
    write(byId('state-words'), 'No event');
    byId('stale').hidden = true;
  }

  /** `reason`: the error of the last call, or null; `nextIn`: seconds to the next attempt. */
  show({ state, age }, reason = null, nextIn = 0) {
    byId('state').dataset.state = state;
    byId('metrics').dataset.state = state;
    write(byId('state-words'), {
      live: age < 2 ? 'Live' : `Live · ${span(age)} ago`,
      paused: `Paused · ${span(age)} ago`,
      stale: `Out of date · ${span(age)} ago`,
    }[state]);
    if (state !== 'stale' && byId('stale').contains(document.activeElement)) byId('refresh').focus();
    byId('stale').hidden = state !== 'stale';
    if (state === 'stale') {
      write(byId('stale-age'), `The metrics are ${span(age)} old.`);
      const again = reason && !needsKeys(reason) && nextIn >= 1 ? ` Retrying in ${span(nextIn)}.` : '';
      write(byId('stale-words'), `${reason?.message ?? 'No newer metrics have arrived.'}${again}`);
      byId('try-now').hidden = needsKeys(reason);
      byId('sign-in-again').hidden = !needsKeys(reason);
      byId('go-on-with-api-time').hidden = !offersApiTime(reason);
    }
    this.#announce(state, reason);
  }

  #announce(state, reason) {
    const current = state === 'stale' ? `stale ${reason?.kind}` : state;
    if (current === this.#announced) return;
    const first = this.#announced === '';
    this.#announced = current;
    if (state === 'stale') announce(`The metrics are out of date. ${reason?.message ?? ''}`);
    else if (!first) announce(state === 'live' ? 'The metrics are live again.' : 'Updates are paused.');
  }
}

/** Return whether the error requires other keys, or another sign-in. */
export function needsKeys(error) {
  return ['keys', 'keys-expired', 'rights', 'region', 'sign-in-over', 'no-role'].includes(error?.kind);
}

/** Return whether using the API's time can fix the error. */
export function offersApiTime(error) {
  return error?.kind === 'clock' && error.ahead !== null && Math.abs(error.ahead) >= 60;
}
