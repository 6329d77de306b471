// SPDX-License-Identifier: Apache-2.0
/** Metrics over time: three small charts with one time axis, and a table of the same values. */

import { ChartSet } from './chart-set.js';
import { byId, make, write } from '../page/dom.js';
import { count, rate, span, time } from '../page/format.js';
import { sampled } from './history.js';

const MIN_SPAN = 120; // minimum time axis in seconds
const ROWS = 13;

const CHARTS = [
  {
    title: 'Per minute',
    lines: [
      { name: 'joinRate', label: 'Joins', colour: '--line-a', dash: [], say: rate },
      { name: 'admissionRate', label: 'Admissions', colour: '--line-b', dash: [6, 4], say: rate },
    ],
  },
  { title: 'Waiting', lines: [{ name: 'waiting', label: 'Waiting', colour: '--line-c', dash: [], say: count }] },
  { title: 'Active visitors', lines: [{ name: 'active', label: 'Active', colour: '--line-d', dash: [], say: count }] },
];

export class Charts {
  #history;
  #charts;
  #window = 600;

  constructor(history) {
    this.#history = history;
    this.#charts = new ChartSet(byId('charts'), CHARTS, 'panel');
    for (const choice of document.getElementsByName('window')) {
      choice.addEventListener('change', () => {
        this.#window = Number(choice.value);
        this.show();
      });
    }
    byId('metrics-table').addEventListener('toggle', () => this.show());
  }

  /** Draw the current history. */
  show() {
    const [begin] = this.#history.points;
    write(byId('charts-since'), begin ? sinceText(begin.at, this.#history.last.at, this.#window) : '');
    const { from, to, points } = this.#span();
    this.#charts.show(points, from, to);
    if (byId('metrics-table').open) this.#fillTable(points);
  }

  #span() {
    const to = this.#history.last?.at ?? Date.now() / 1000;
    const first = this.#history.points[0]?.at ?? to;
    const from = Math.min(Math.max(to - this.#window, first), to - MIN_SPAN);
    return { from, to, points: this.#history.since(from) };
  }

  #fillTable(points) {
    byId('metrics-rows').replaceChildren(...sampled(points, ROWS).reverse().map((point) => make('tr', {},
      make('th', { scope: 'row' }, time(point.at * 1000)),
      make('td', {}, rate(point.joinRate)),
      make('td', {}, rate(point.admissionRate)),
      make('td', {}, count(point.waiting)),
      make('td', {}, count(point.active)))));
  }
}

/** Describe since when there is data, and whether the chosen time (`chosen`, seconds) is longer. Times are epoch seconds. */
export function sinceText(begin, end, chosen) {
  const since = `This page has data since ${time(begin * 1000)}`;
  if (end - begin >= chosen) return `${since}.`;
  return `${since}: ${span(end - begin)} of the chosen ${span(chosen)}.${chosen > 3_600 ? ' “Last 24 hours” has what is stored of the time before.' : ''}`;
}
