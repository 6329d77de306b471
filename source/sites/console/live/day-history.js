// SPDX-License-Identifier: Apache-2.0
/** The last 24 hours of the event, from its history: charts and a table. */

import { ChartSet } from './chart-set.js';
import { STEP, dayPoints } from './day-points.js';
import { fileName, historyCsv } from '../page/csv.js';
import { byId, download, make, write } from '../page/dom.js';
import { count, rate, span, time } from '../page/format.js';
import { sampled } from './history.js';

const DAY = 86_400;
const READ_INTERVAL = 240; // seconds between two reads
const FIRST_INTERVAL = 60; // while there is no point
const ROWS = 25;
/** Note while no minute is stored. */
export const NONE = 'No minute of the last 24 hours is stored. The room stores each minute while the event is not closed. The charts have a point for each five minutes.';

const wait = (value) => (value === null ? '–' : span(value));
const CHARTS = [
  {
    title: 'Per minute',
    lines: [
      { name: 'joinRate', label: 'Joins', colour: '--line-a', dash: [], say: rate },
      { name: 'admissionRate', label: 'Admissions', colour: '--line-b', dash: [6, 4], say: rate },
    ],
  },
  { title: 'Waiting', lines: [{ name: 'waiting', label: 'Waiting', colour: '--line-c', dash: [], say: (value) => (value === null ? '–' : count(value)) }] },
  { title: 'Active visitors', lines: [{ name: 'active', label: 'Active', colour: '--line-d', dash: [], say: (value) => (value === null ? '–' : count(value)) }] },
  {
    title: 'Wait in minutes',
    lines: [
      { name: 'median', label: 'Median', colour: '--line-a', dash: [], say: rate },
      { name: 'long', label: '95 %', colour: '--line-b', dash: [6, 4], say: rate },
    ],
  },
];

export class DayHistory {
  #context;
  #charts;
  #points = [];
  #to = 1;
  #readAt = -Infinity;
  #sequence = 0; // number of the latest call: a response to an earlier call is discarded

  constructor(context) {
    this.#context = context;
    this.#charts = new ChartSet(byId('day-charts'), CHARTS, 'day', { lastKnown: true });
    byId('day-csv').addEventListener('click', () => {
      download(fileName(context.api.eventId, 'history', Date.now()), historyCsv(this.#points));
    });
    byId('day-table').addEventListener('toggle', () => this.#fillTable());
  }

  /** Read the history if the last read is long ago. */
  tick(paused) {
    if (!paused && performance.now() - this.#readAt >= (this.#points.length ? READ_INTERVAL : FIRST_INTERVAL) * 1000) this.read();
  }

  /** Delete the points of the event. */
  clear() {
    this.#sequence += 1;
    this.#readAt = -Infinity;
    this.#show([], 'Loading the last 24 hours…');
  }

  /** Read the last 24 hours; after an error the points shown stay. */
  async read() {
    const { api } = this.#context;
    if (api === null) return;
    this.#readAt = performance.now();
    this.#sequence += 1;
    const sequence = this.#sequence;
    try {
      const found = await api.history(STEP);
      if (api !== this.#context.api || sequence !== this.#sequence) return;
      this.#show(dayPoints(found.points, this.#context.serverClock.now()), found.points.length ? '' : NONE);
    } catch (error) {
      if (api !== this.#context.api || sequence !== this.#sequence) return;
      write(byId('day-note'), error.kind === 'rights'
        ? 'These keys may not read the history of this event.'
        : `The history could not be read: ${error.message}`);
    }
  }

  #show(points, note) {
    this.#points = points;
    this.#to = this.#context.serverClock.now();
    write(byId('day-note'), note);
    byId('day-body').hidden = points.length === 0;
    this.#charts.show(points, this.#to - DAY, this.#to);
    this.#fillTable();
  }

  #fillTable() {
    if (!byId('day-table').open) return;
    byId('day-rows').replaceChildren(...sampled(this.#points, ROWS).reverse().map((point) => make('tr', {},
      make('th', { scope: 'row' }, time(point.at * 1000).slice(0, 5)),
      make('td', {}, rate(point.joinRate)),
      make('td', {}, rate(point.admissionRate)),
      make('td', {}, count(point.waiting)),
      make('td', {}, count(point.active)),
      make('td', {}, count(point.left)),
      make('td', {}, count(point.no_shows)),
      make('td', {}, wait(point.wait_p50)),
      make('td', {}, wait(point.wait_p95)))));
  }
}
