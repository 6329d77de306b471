// SPDX-License-Identifier: Apache-2.0
/** Metrics over time: three small charts with one time axis, and a table of the same values. */

import uPlot from 'uplot';
import { byId, make, write } from './dom.js';
import { count, rate, span, time } from './format.js';
import { columns, sampled } from './history.js';

const HEIGHT = 150;
const MIN_SPAN = 120; // minimum time axis in seconds
const ROWS = 13;
const WHOLE_STEPS = [1, 2, 5].flatMap((n) => [...Array(9).keys()].map((i) => n * 10 ** i)).sort((a, b) => a - b);

const TIME_STEPS = [5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800];

// Lines differ in colour and in dash, so that they are distinguishable without colour.
const CHARTS = [
  {
    title: 'Per minute',
    lines: [
      { name: 'joinRate', label: 'Joins', colour: '--line-a', dash: [], say: rate },
      { name: 'admissionRate', label: 'Admissions', colour: '--line-b', dash: [6, 4], say: rate },
    ],
  },
  { title: 'Waiting', lines: [{ name: 'waiting', label: 'Waiting', colour: '--line-c', dash: [], say: count }] },
  { title: 'Active tokens', lines: [{ name: 'active', label: 'Active', colour: '--line-d', dash: [], say: count }] },
];

export class Charts {
  #history;
  #charts = [];
  #window = 600;

  constructor(history) {
    this.#history = history;
    byId('charts').replaceChildren(...CHARTS.map((chart) => this.#frame(chart)));
    for (const choice of document.getElementsByName('window')) {
      choice.addEventListener('change', () => {
        this.#window = Number(choice.value);
        this.show();
      });
    }
    byId('metrics-table').addEventListener('toggle', () => this.show());
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#draw());
    new ResizeObserver(() => this.#fit()).observe(byId('charts'));
  }

  /** Draw the current history. */
  show() {
    const [begin] = this.#history.points;
    write(byId('charts-since'), begin
      ? `Recorded by this page since ${time(begin.at * 1000)}. Earlier metrics are not available.`
      : '');
    const { from, to, points } = this.#span();
    for (const chart of this.#charts) {
      const names = chart.lines.map((line) => line.name);
      chart.plot?.setData(columns(points, names), false);
      chart.plot?.setScale('x', { min: from, max: to });
      this.#say(chart, points);
    }
    if (byId('metrics-table').open) this.#fillTable(points);
  }

  #span() {
    const to = this.#history.last?.at ?? Date.now() / 1000;
    const first = this.#history.points[0]?.at ?? to;
    const from = Math.min(Math.max(to - this.#window, first), to - MIN_SPAN);
    return { from, to, points: this.#history.since(from) };
  }

  #frame({ title, lines }) {
    const drawing = make('div', { class: 'drawing', role: 'img' });
    const values = lines.map((line) => make('b', {}, '–'));
    const legend = make('p', { class: 'legend' }, ...lines.map((line, i) => make('span', {},
      make('i', { class: line.dash.length ? 'swatch dashed' : 'swatch', 'data-line': line.colour.slice(2), 'aria-hidden': 'true' }),
      ...(lines.length > 1 ? [`${line.label} `] : []), values[i])));
    this.#charts.push({ title, lines, drawing, values, plot: null });
    return make('metric', {}, make('figcaption', {}, make('h3', {}, title), legend), drawing);
  }

  /** Redraw with the current colours. */
  #draw() {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    for (const chart of this.#charts) {
      chart.plot?.destroy();
      const axis = {
        stroke: colour('--soft'),
        font: `12px ${style.fontFamily}`,
        grid: { stroke: colour('--grid'), width: 1 },
        ticks: { show: false },
      };
      chart.plot = new uPlot({
        width: Math.max(200, chart.drawing.clientWidth),
        height: HEIGHT,
        legend: { show: false },
        cursor: { drag: { x: false, y: false }, y: false, points: { size: 7 }, sync: { key: 'panel' } },
        scales: { x: { auto: false }, y: { range: (_plot, _min, max) => [0, Math.max(4, (max ?? 0) * 1.08)] } },
        axes: [
          { ...axis, space: (_plot, _axis, from, to) => (to - from < 300 ? 72 : 48), incrs: TIME_STEPS, size: 28, values: (_plot, ticks, _axis, _space, step) => ticks.map((at) => time(at * 1000).slice(0, step < 60 ? 8 : 5)) },
          { ...axis, size: 50, space: 24, incrs: WHOLE_STEPS, values: (_plot, ticks) => ticks.map(short) },
        ],
        series: [{}, ...chart.lines.map((line) => ({
          label: line.label,
          stroke: colour(line.colour),
          fill: chart.lines.length === 1 ? `${colour(line.colour)}22` : undefined,
          width: 2,
          dash: line.dash,
          points: { show: (plot) => plot.data[0].length < 3, size: 6 }, // a line needs two points
        }))],
        hooks: { setCursor: [(plot) => this.#point(chart, plot.cursor.idx)] },
      }, [[], ...chart.lines.map(() => [])], chart.drawing);
    }
    this.show();
  }

  #fit() {
    if (byId('charts').clientWidth === 0) return; // not visible
    if (this.#charts[0].plot === null) {
      this.#draw();
      return;
    }
    for (const chart of this.#charts) {
      const width = Math.max(200, chart.drawing.clientWidth);
      if (chart.plot.width !== width) chart.plot.setSize({ width, height: HEIGHT });
    }
  }

  /** Show the values at the pointer, or the latest. */
  #point(chart, index) {
    const data = chart.plot?.data;
    if (!data) return;
    const at = index ?? data[0].length - 1;
    chart.lines.forEach((line, i) => write(chart.values[i], line.say(data[i + 1][at] ?? null) || '–'));
  }

  #say(chart, points) {
    if (chart.plot && chart.plot.cursor.idx == null) this.#point(chart, null);
    chart.drawing.setAttribute('aria-label', `${chart.title}: ${summary(chart.lines, points)}`);
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

/** Describe each line: its latest, lowest and highest value. */
export function summary(lines, points) {
  if (points.length < 2) return 'not enough data yet.';
  const over = span(points.at(-1).at - points[0].at);
  return lines.map(({ name, label, say }) => {
    const values = points.map((point) => point[name]).filter((value) => value !== null);
    if (values.length === 0) return `${label} unknown so far`;
    const [low, high] = [Math.min(...values), Math.max(...values)];
    return `${label} now ${say(values.at(-1))}, between ${say(low)} and ${say(high)} in the last ${over}`;
  }).join('; ') + '. The table below shows the values.';
}

function short(number) {
  if (number >= 1_000_000) return `${number / 1_000_000}M`;
  return number >= 10_000 ? `${number / 1_000}k` : count(number);
}
