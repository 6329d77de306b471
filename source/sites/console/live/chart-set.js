// SPDX-License-Identifier: Apache-2.0
/** Small charts with one time axis. Lines differ in colour and in dash, so colour is not needed. */

import uPlot from 'uplot';
import { make, write } from '../page/dom.js';
import { count, span, time } from '../page/format.js';
import { columns } from './history.js';

const HEIGHT = 150;
const WHOLE_STEPS = [1, 2, 5].flatMap((n) => [...Array(9).keys()].map((i) => n * 10 ** i)).sort((a, b) => a - b);
const TIME_STEPS = [5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600];

const SPACE = 48; // pixels between labels such as 12:05
const SPACE_WITH_SECONDS = 72; // and such as 12:05:30

export class ChartSet {
  #container;
  #charts = [];
  #shown = { points: [], from: 0, to: 1 };
  #sync;
  #lastKnown;

  /**
   * `charts`: `[{title, lines: [{name, label, colour, dash, say}]}]`; `name` is a member of the points,
   * `say(value)` its text. The charts of one `sync` share the pointer. `lastKnown`: the legend skips
   * unknown values at the end.
   */
  constructor(container, charts, sync, { lastKnown = false } = {}) {
    this.#lastKnown = lastKnown;
    this.#container = container;
    this.#sync = sync;
    container.replaceChildren(...charts.map((chart) => this.#frame(chart)));
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#draw());
    new ResizeObserver(() => this.#fit()).observe(container);
  }

  /** Draw points between two times (epoch seconds). */
  show(points, from, to) {
    this.#shown = { points, from, to };
    for (const chart of this.#charts) {
      const names = chart.lines.map((line) => line.name);
      chart.plot?.setData(columns(points, names), false);
      chart.plot?.setScale('x', { min: from, max: to });
      if (chart.plot && chart.plot.cursor.idx == null) this.#point(chart, null);
      chart.drawing.setAttribute('aria-label', `${chart.title}: ${summary(chart.lines, points)}`);
    }
  }

  #frame({ title, lines }) {
    const drawing = make('div', { class: 'drawing', role: 'img' });
    const values = lines.map((line) => make('b', {}, '–'));
    const legend = make('p', { class: 'legend' }, ...lines.map((line, i) => make('span', {},
      make('i', { class: line.dash.length ? 'swatch dashed' : 'swatch', 'data-line': line.colour.slice(2), 'aria-hidden': 'true' }),
      ...(lines.length > 1 ? [`${line.label} `] : []), values[i])));
    this.#charts.push({ title, lines, drawing, values, plot: null });
    return make('figure', {}, make('figcaption', {}, make('h3', {}, title), legend), drawing);
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
        cursor: { drag: { x: false, y: false }, y: false, points: { size: 7 }, sync: { key: this.#sync } },
        scales: { x: { auto: false }, y: { range: (_plot, _min, max) => [0, Math.max(4, (max ?? 0) * 1.08)] } },
        axes: [
          { ...axis, space: (_plot, _axis, from, to, size) => labelSpace(to - from, size), incrs: TIME_STEPS, size: 28, values: (_plot, ticks, _axis, _space, step) => ticks.map((at) => time(at * 1000).slice(0, step < 60 ? 8 : 5)) },
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
    this.show(this.#shown.points, this.#shown.from, this.#shown.to);
  }

  #fit() {
    if (this.#container.clientWidth === 0) return; // not visible
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
    chart.lines.forEach((line, i) => {
      const values = data[i + 1];
      const latest = this.#lastKnown ? values.filter((value) => value !== null).at(-1) : values.at(-1);
      write(chart.values[i], line.say((index === null || index === undefined ? latest : values[index]) ?? null) || '–');
    });
  }
}

/**
 * Return the least distance of two labels of the time axis, in pixels: labels with seconds need more. `range`
 * is in seconds, `size` is the length of the axis.
 */
export function labelSpace(range, size) {
  const step = TIME_STEPS.find((one) => (one * size) / range >= SPACE) ?? TIME_STEPS.at(-1);
  return step < 60 ? SPACE_WITH_SECONDS : SPACE;
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
