// SPDX-License-Identifier: Apache-2.0
/** Card with the list of all events, by pages of 100, and the choice of an event. */

import { cardOf } from '../page/console-context.js';
import { announce, byId, make, markWrong, write } from '../page/dom.js';
import { count } from '../page/format.js';
import { ListNumbers, numbersOf } from './list-numbers.js';
import { countdown, isEventId, nextChange, phaseOf } from './events.js';

export const READ_INTERVAL = 30; // seconds between two reads of the shown page
const PAGE = 100; // events on a page of the API

export class EventList {
  #context;
  #choose;
  #card = cardOf(byId('event-list'));
  #rows = new Map(); // event id → nodes and event of its row
  #marks = [null]; // marks of the pages up to the shown one
  #next = null; // mark of the next page
  #readAt = -Infinity;
  #sequence = 0; // number of the latest call: a response to an earlier call is discarded
  #permitted = true;
  #passed = new Set(); // changes of the schedule after which the page was read

  #numbers;
  #observer;
  #shown;

  /**
   * `choose(eventId)` shows another event, `create()` begins a new one, `shown()` follows each page
   * that was read.
   */
  constructor(context, choose, create, shown) {
    this.#shown = shown;
    this.#numbers = new ListNumbers({
      publicApi: () => context.publicApi,
      own: () => (context.metrics && !context.gone ? context.api?.eventId : null),
      show: (id, words) => { if (this.#rows.has(id)) write(this.#rows.get(id).numbers, words); },
    });
    this.#observer = new IntersectionObserver((seen) => {
      for (const { target, isIntersecting } of seen) this.#numbers.see(target.dataset.event, isIntersecting);
    });
    byId('event-create').addEventListener('click', create);
    this.#context = context;
    this.#choose = choose;
    byId('events-reload').addEventListener('click', () => this.read({ requested: true }));
    byId('events-before').addEventListener('click', () => this.read({ marks: this.#marks.slice(0, -1), requested: true }));
    byId('events-next').addEventListener('click', () => this.read({ marks: [...this.#marks, this.#next], requested: true }));
    byId('event-by-id').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#chooseById();
    });
  }

  get card() {
    return this.#card;
  }

  /** Read the page again if the last read is long ago. */
  follow() {
    if (this.#permitted && performance.now() - this.#readAt >= READ_INTERVAL * 1000) this.read();
  }

  /** Forget the events of the room. */
  clear() {
    this.#sequence += 1;
    this.#rows.clear();
    this.#numbers.clear();
    this.#observer.disconnect();
    this.#marks = [null];
    this.#next = null;
    this.#readAt = -Infinity;
    this.#permitted = true;
    this.#passed.clear();
    byId('event-list').replaceChildren();
    byId('event-other').value = '';
    markWrong(byId('event-other'), false);
    this.#note('Loading the events…');
    this.#showPaging();
    this.#context.showResult(this.#card, 'done', '');
  }

  /** Read a page. `requested`: the operator pressed a button, so the result is shown in any case. */
  async read({ marks = this.#marks, requested = false } = {}) {
    const { api } = this.#context;
    if (api === null) return;
    this.#readAt = performance.now();
    this.#sequence += 1;
    const sequence = this.#sequence;
    try {
      const page = await api.events(marks.at(-1));
      if (this.#context.api === null || sequence !== this.#sequence) return;
      this.#permitted = true;
      if (marks !== this.#marks) byId('event-list').parentElement.scrollTop = 0;
      this.#marks = marks;
      this.#next = page.next_token ?? null;
      this.#context.serverClock.observe(page.now * 1000);
      this.#show(page.events);
      this.#shown();
      if (requested) this.#context.showResult(this.#card, 'done', '');
    } catch (error) {
      if (this.#context.api === null || sequence !== this.#sequence) return;
      this.#permitted = error.kind !== 'rights';
      if (!this.#permitted) {
        this.#show([]);
        this.#note('These keys are not allowed to list the events. Enter the event ID below.', true);
      } else if (this.#rows.size === 0) {
        this.#note(`The events cannot be listed. ${error.message}`, requested);
      } else if (requested) {
        this.#context.showResult(this.#card, 'refused', error.message);
      }
    }
  }

  /** Mark the row of the chosen event. */
  mark(eventId) {
    for (const [id, { button }] of this.#rows) {
      if (id === eventId) button.setAttribute('aria-current', 'true');
      else button.removeAttribute('aria-current');
    }
  }

  /** Update the countdowns; after a change of the schedule, read the page once, unless `paused`. */
  tick(paused = false) {
    const now = this.#context.serverClock.now();
    let passed = false;
    for (const [id, { event, next }] of this.#rows) {
      write(next, countdown(event, now));
      const change = nextChange(event);
      const key = `${id} ${change?.at}`;
      if (change !== null && change.at <= now && !this.#passed.has(key) && !paused) {
        this.#passed.add(key);
        passed = true;
      }
    }
    if (passed) this.read();
    if (!paused) this.#numbers.tick(performance.now() / 1000);
  }

  /** Ids of the events of the shown page. */
  get ids() {
    return [...this.#rows.keys()];
  }

  /** Show the metrics of the chosen event in its row, so that the row and the metrics agree. */
  showOwn(eventId, metrics) {
    const row = this.#rows.get(eventId);
    if (row) write(row.numbers, numbersOf({ waiting_num: metrics.waiting, admission_rate_per_minute: metrics.serverRate }));
  }

  /** Return the row of an event of the shown page, or null. */
  find(eventId) {
    return this.#rows.get(eventId)?.event ?? null;
  }

  #show(events) {
    const list = byId('event-list');
    const kept = new Map(events.map((event) => [event.event_id, this.#rows.get(event.event_id) ?? this.#row(event.event_id)]));
    const focused = document.activeElement;
    const changed = [...kept.keys()].join() !== [...this.#rows.keys()].join();
    this.#rows = kept;
    for (const event of events) fill(kept.get(event.event_id), event);
    if (changed) {
      list.replaceChildren(...[...kept.values()].map(({ item }) => item));
      this.#observer.disconnect();
      this.#numbers.clear();
      for (const { item } of kept.values()) this.#observer.observe(item);
      if (list.contains(focused)) focused.focus(); // a moved element loses the focus
    }
    this.#note(events.length ? '' : 'There are no events yet.');
    this.#showPaging();
    const { api, metrics } = this.#context;
    this.mark(api?.eventId);
    if (metrics) this.showOwn(api.eventId, metrics);
    this.tick();
  }

  #row(id) {
    const title = make('span', { class: 'name', dir: 'auto' });
    const code = make('span', { class: 'hint' }, id);
    const phase = make('span', { class: 'chip' });
    const next = make('span', { class: 'hint' });
    const numbers = make('span', { class: 'hint numbers' });
    const button = make('button', { type: 'button' },
      make('span', { class: 'line' }, title, ' ', phase), ' ', make('span', { class: 'line' }, code, ' ', numbers), ' ', next);
    button.addEventListener('click', () => this.#choose(id));
    return { item: make('li', { 'data-event': id }, button), button, title, code, phase, next, numbers, event: null };
  }

  #showPaging() {
    const number = this.#marks.length;
    byId('events-paging').hidden = number === 1 && this.#next === null;
    byId('events-before').disabled = number === 1;
    byId('events-next').disabled = this.#next === null;
    const first = (number - 1) * PAGE + 1;
    write(byId('events-where'), `Events ${count(first)} to ${count(first + Math.max(0, this.#rows.size - 1))}`);
  }

  #note(words, aloud = false) {
    if (aloud) announce(words);
    byId('events-note').hidden = words === '';
    write(byId('events-note'), words);
  }

  #chooseById() {
    const input = byId('event-other');
    const id = input.value.trim();
    markWrong(input, !isEventId(id));
    if (isEventId(id)) this.#choose(id);
    else {
      this.#context.showResult(this.#card, 'refused', 'Enter an event ID: 1 to 64 letters, digits, _, . or -.');
      input.focus();
    }
  }
}

function fill(row, event) {
  const [words, state] = phaseOf(event);
  row.event = event;
  write(row.title, event.title || event.event_id);
  row.code.hidden = !event.title;
  row.phase.dataset.state = state;
  write(row.phase, words);
}
