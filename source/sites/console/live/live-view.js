// SPDX-License-Identifier: Apache-2.0
/** State of the chosen event, the latest minute of its history, and what others did, from calls of their own. */

import { h, render } from 'preact';
import { authorOf, changeText, grouped } from './audit-words.js';
import { alarmText, alarmsLine, brakeLine, changedByText } from './state-lines.js';
import { latestMinute } from './latest-minute.js';
import { FIELDS } from '../events/edit/schema-fields.js';
import { auditCsv, fileName } from '../page/csv.js';
import { byId, download, write } from '../page/dom.js';
import { rate, span, time, dateTime } from '../page/format.js';

const ALARMS_INTERVAL = 15; // seconds between two reads
const AUDIT_INTERVAL = 30;
const MINUTE_INTERVAL = 60; // seconds between two reads of the latest minutes
const MINUTES = 6; // read of the history

export class LiveView {
  #context;
  #event = null;
  #alarms = null; // response of GET /alarms, or null
  #entries = []; // of the audit log, newest first
  #next = null; // mark of the next page of the audit log
  #note = { audit: 'Loading…', alarms: '' };
  #auditPhase = ''; // phase for which the audit log was read
  #gone = false; // the event was deleted
  #read = {}; // name of a call → time of its latest begin
  #sequence = 0;

  constructor(context) {
    this.#context = context;
    this.#render();
    byId('audit-more').addEventListener('click', () => this.#readAudit(true));
    byId('audit-csv').addEventListener('click', () => {
      download(fileName(context.api.eventId, 'audit', Date.now()), auditCsv(this.#entries));
    });
  }

  clear() {
    this.#sequence += 1;
    this.#event = null;
    this.#auditPhase = '';
    this.#gone = false;
    this.#alarms = null;
    this.#entries = [];
    this.#next = null;
    this.#read = {};
    this.#note = { audit: 'Loading…', alarms: '' };
    this.#showMinute(null);
    this.show(null);
  }

  /** The event was deleted: its lines are not loaded any more. */
  showGone() {
    this.#sequence += 1;
    this.#gone = true;
    this.#event = null;
    this.#render();
  }

  /** Show a document of the event; the change to a new version or phase is in the audit log. */
  show(event) {
    const changed = event !== null && (event.version !== this.#event?.version || event.phase !== this.#event?.phase);
    this.#event = event;
    if (changed) this.#read.audit = -Infinity;
    this.#render();
  }

  /** Read all now. */
  refresh() {
    for (const [name, at] of Object.entries(this.#read)) if (at !== Infinity) delete this.#read[name];
    this.tick(false);
  }

  /** Read what is due. */
  tick(paused) {
    if (paused) return;
    this.#due('alarms', ALARMS_INTERVAL, () => this.#readAlarms());
    this.#due('audit', AUDIT_INTERVAL, () => this.#readAudit());
    if (!this.#context.limited) this.#due('minute', MINUTE_INTERVAL, () => this.#readMinute());
  }

  #due(name, seconds, call) {
    const now = performance.now();
    if (now - (this.#read[name] ?? -Infinity) < seconds * 1000) return;
    this.#read[name] = now;
    call();
  }

  /** Run a call; its result is dropped if another event is shown by then. */
  async #call(name, call, take) {
    const { api } = this.#context;
    const sequence = this.#sequence;
    if (api === null) return;
    try {
      const response = await call(api);
      if (sequence !== this.#sequence) return;
      this.#note[name] = '';
      take(response);
    } catch (error) {
      if (sequence !== this.#sequence) return;
      if (error.kind === 'rights') this.#read[name] = Infinity; // these keys never may
      this.#note[name] = error.kind === 'rights' ? 'These keys may not read it.' : name === 'alarms' ? 'Could not be read' : error.message; // the bar of the metrics has the reason
      if (name === 'minute') markMinute(true);
    }
    this.#render();
  }

  #readAlarms() {
    return this.#call('alarms', (api) => api.alarms(), (response) => { this.#alarms = response; });
  }

  #readAudit(more = false) {
    const phase = this.#event?.phase ?? '';
    return this.#call('audit', (api) => api.audit(more ? this.#next : null), ({ entries, next_token: next }) => {
      this.#auditPhase = phase;
      const known = new Set(entries.map(keyOf));
      const older = more ? [] : this.#entries.filter((entry) => !known.has(keyOf(entry)));
      if (more || this.#entries.length === 0 || older.length === this.#entries.length) this.#next = next ?? null;
      this.#entries = more ? [...this.#entries, ...entries] : [...entries, ...(older.length === this.#entries.length ? [] : older)];
    });
  }

  #readMinute() {
    const since = Math.floor(this.#context.serverClock.now()) - MINUTES * 60;
    return this.#call('minute', (api) => api.history(60, since), ({ points }) => this.#showMinute(latestMinute(points, this.#context.serverClock.now())));
  }

  #showMinute(minute) {
    markMinute(false);
    const wait = (value) => (value === null || value === undefined ? '–' : span(value));
    write(byId('minute-arrived'), rate(minute?.arrived));
    write(byId('minute-no-shows'), rate(minute?.no_shows));
    write(byId('minute-p50'), wait(minute?.wait_p50));
    write(byId('minute-p95'), wait(minute?.wait_p95));
  }

  /** Who changed the phase; "Loading…" until the log was read in this phase. */
  #author() {
    if (this.#gone) return '–';
    if (this.#event === null) return 'Loading…';
    const note = this.#note.audit;
    if (this.#auditPhase !== this.#event.phase) return note && note !== 'Loading…' ? `Unknown. ${note}` : 'Loading…';
    return changedByText(this.#event.phase, this.#entries, this.#next === null);
  }

  #render() {
    const event = this.#event;
    render(h(StateStrip, {
      author: this.#author(),
      brake: this.#gone ? { state: '', words: '–' } : brakeLine(this.#alarms?.admission ?? null, event?.admission),
      alarms: alarmsLine(this.#alarms), note: this.#note.alarms,
      now: this.#context.serverClock.now(),
    }), byId('state-strip'));
    render(h(AuditList, { entries: grouped(this.#entries) }), byId('audit-list'));
    write(byId('audit-note'), this.#note.audit || (this.#entries.length ? '' : 'No changes yet.'));
    byId('audit-more').hidden = !this.#next;
    byId('audit-csv').disabled = this.#entries.length === 0;
  }
}

const keyOf = ({ at, who, what }) => `${at} ${who} ${what}`;

/** Mark the values of the latest minute as outdated, or not. */
function markMinute(outdated) {
  for (const place of document.querySelectorAll('[data-minute]')) place.toggleAttribute('data-stale', outdated);
}

function StateStrip({ author, brake, alarms, note, now }) {
  return h('dl', { class: 'state-strip' },
    h('div', {}, h('dt', {}, 'Changed by'), h('dd', { dir: 'auto' }, author)),
    h('div', { 'data-state': brake.state }, h('dt', {}, 'Brake'), h('dd', {}, brake.words)),
    h('div', { 'data-state': alarms.state }, h('dt', {}, 'Alarms of the room'), h('dd', {}, note || alarms.words, alarms.active.length > 0 && h(AlarmList, { alarms: alarms.active, now }))));
}

/** The alarms in ALARM, over the page: nothing below moves. */
function AlarmList({ alarms, now }) {
  return h('details', { class: 'alarms' }, h('summary', {}, 'Show'),
    h('ul', {}, alarms.map((alarm) => h('li', { key: alarm.name }, alarmText(alarm, now)))));
}

function AuditList({ entries }) {
  return entries.map((entry) => h('li', { key: keyOf(entry) },
    h('time', { dateTime: new Date(entry.until * 1000).toISOString(), title: dateTime(entry.until * 1000) }, time(entry.until * 1000)),
    h('strong', { dir: 'auto' }, authorOf(entry)),
    h('span', { dir: 'auto' }, changeText(entry, FIELDS))));
}
