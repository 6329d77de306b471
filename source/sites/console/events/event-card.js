// SPDX-License-Identifier: Apache-2.0
/** Card of the chosen event: its phase, its schedule, and the actions that its phase allows. */

import { confirmed } from '../page/confirm.js';
import { MAX_MOVE, wholeNumber } from '../admission/admit.js';
import { cardOf, newCallId } from '../page/console-context.js';
import { announce, byId, make, write } from '../page/dom.js';
import { count, dateTime } from '../page/format.js';
import { noUndoText, undoEditOf, undoOf } from './undo.js';
import { isUnknownEvent } from '../api/errors.js';
import { UndoOffer } from './undo-offer.js';
import { documentOf } from './edit/draft.js';
import { ACTIONS, GONE, confirmationOf, countdown, deletionRefusal, doneText, nameOf, nextChange, numbersText, phaseOf, refusalOf } from './events.js';

export const READ_INTERVAL = 30; // seconds between two reads of the document
const FULL_CONSOLE_HAS = ['admit', 'reset']; // the full console has cards for these actions
const TIMES = [['Pre-queue', 'pre_queue_at'], ['Opening', 'opens_at'], ['Closing', 'closes_at']];

export class EventCard {
  #context;
  #changed;
  #deleted;
  #undo = new UndoOffer((undo) => this.#undoChange(undo));
  #card = cardOf(byId('event-actions'));
  #buttons = new Map(); // action → button and reason
  #event = null; // the latest document; without a phase if it cannot be read
  #readAt = -Infinity;
  #sequence = 0; // number of the latest call: a response to an earlier call is discarded
  #pageAddress = '';
  #passed = 0; // time of the latest change of the schedule after which the document was read

  /**
   * `editor` edits a document, `changed(event)` gets each one that is shown. `deleted(event)` gets the one
   * that was deleted here, or null if the event was deleted elsewhere.
   */
  constructor(context, editor, changed, deleted) {
    this.#context = context;
    this.#changed = changed;
    this.#deleted = deleted;
    for (const [id, act] of [['edit', (event) => editor.edit(event)], ['copy', (event) => editor.copy(event)], ['delete', () => this.#delete()]]) {
      byId(`event-${id}`).addEventListener('click', () => {
        if (this.#event?.gone) this.#context.refuse(this.#card, GONE);
        else if (this.#event?.phase) act(this.#event);
      });
    }
    for (const [action, { label }] of Object.entries(ACTIONS)) {
      const reason = make('span', { id: `reason-${action}`, class: 'unseen' });
      const button = make('button', { type: 'button', 'data-action': action }, `${label}…`);
      button.addEventListener('click', () => this.#press(action));
      byId('event-actions').append(button, reason);
      this.#buttons.set(action, { button, reason });
    }
  }

  /** Address of the waiting page, to which and to whose preview the card links; empty if it is not known. */
  set pageAddress(address) {
    this.#pageAddress = address;
  }

  get card() {
    return this.#card;
  }

  /**
   * Read the document again if the last read is long ago, or if the list shows another version or the
   * metrics another phase. `row` and `phase` may be null.
   */
  follow(row, phase) {
    const late = performance.now() - this.#readAt >= READ_INTERVAL * 1000;
    const known = this.#event?.phase ? this.#event : null;
    if (late || (known && ((row && row.version !== known.version) || (phase && phase !== known.phase)))) this.read();
  }

  clear() {
    this.#sequence += 1;
    this.#event = null;
    this.#context.event = null;
    this.#readAt = -Infinity;
    this.#passed = 0;
    this.#undo.offer(null);
    this.#context.showResult(this.#card, 'done', '');
  }

  /** Show the name of an event before its document has arrived. */
  begin(eventId) {
    write(byId('event-title'), eventId);
    byId('event-phase').dataset.state = '';
    write(byId('event-phase'), 'Loading…');
    byId('event-facts').replaceChildren();
    write(byId('event-next'), '');
    write(byId('event-numbers'), '');
    this.#showActions();
  }

  /** Read the document. */
  async read() {
    const { api } = this.#context;
    if (api === null) return;
    this.#readAt = performance.now();
    this.#sequence += 1;
    const sequence = this.#sequence;
    try {
      const event = await api.event();
      if (api === this.#context.api && sequence === this.#sequence) this.show(event);
    } catch (error) {
      if (api !== this.#context.api || sequence !== this.#sequence) return;
      this.#showUnknown(error);
    }
  }

  /** Show a document. */
  show(event) {
    const before = this.#event;
    const [words, state] = phaseOf(event);
    this.#event = event;
    this.#context.event = event;
    this.#context.endRefusalsOf(event.phase);
    this.#readAt = performance.now();
    this.#context.serverClock.observe(event.serverTime);
    write(byId('event-title'), event.title || event.event_id);
    byId('event-phase').dataset.state = state;
    write(byId('event-phase'), words);
    const facts = [['Event ID', event.event_id], ...TIMES
      .filter(([, name]) => event.schedule[name] !== null)
      .map(([label, name]) => [label, dateTime(event.schedule[name] * 1000)]),
    ['Version', count(event.version)]];
    byId('event-facts').replaceChildren(...facts.flatMap(([label, value]) => [make('dt', {}, label), make('dd', {}, make('bdi', {}, value))]));
    this.#showLinks(event.event_id);
    this.#showActions();
    this.#undo.follow(event);
    this.#changed(event);
    this.tick();
    if (before?.phase && before.event_id === event.event_id && before.phase !== event.phase) {
      announce(`${nameOf(event)} is ${words.toLowerCase()} now.`);
    }
  }

  #showLinks(eventId) {
    const query = new URLSearchParams({ event: eventId });
    for (const [id, file] of [['event-page', ''], ['event-preview', 'preview.html']]) {
      byId(id).hidden = this.#pageAddress === '';
      byId(id).href = `${this.#pageAddress}${file}?${query}`;
    }
  }

  /** Show the numbers of the event, which its confirmations name. */
  showNumbers() {
    write(byId('event-numbers'), this.#context.limited ? numbersText(this.#context.numbers) : '');
  }

  /** Update the countdown; after the change, read the document once, unless `paused`. */
  tick(paused = false) {
    this.#undo.tick();
    if (!this.#event?.phase) return;
    const now = this.#context.serverClock.now();
    write(byId('event-next'), countdown(this.#event, now) || 'No scheduled change');
    const change = nextChange(this.#event);
    if (change !== null && change.at <= now && change.at !== this.#passed && !paused) {
      this.#passed = change.at;
      this.read();
    }
  }

  /** Show that the event was deleted. */
  showGone(eventId) {
    this.#sequence += 1;
    this.#event = { event_id: eventId, title: '', phase: '', gone: true };
    this.#context.event = null;
    this.#undo.offer(null);
    byId('event-phase').dataset.state = '';
    write(byId('event-phase'), 'Deleted');
    write(byId('event-next'), '');
    byId('event-facts').replaceChildren(make('dt', {}, 'Event ID'), make('dd', {}, eventId));
    for (const id of ['event-page', 'event-preview']) byId(id).hidden = true;
    this.#showActions();
    this.#context.refuse(this.#card, GONE);
  }

  #showUnknown(error) {
    const { eventId } = this.#context.api;
    if (isUnknownEvent(error)) {
      this.#deleted(null);
      return;
    }
    if (this.#event?.phase && error.status !== 404 && error.kind !== 'rights') return; // the metrics show the failure
    this.#event = { event_id: eventId, title: '', phase: '' };
    this.#context.event = null;
    byId('event-phase').dataset.state = '';
    write(byId('event-phase'), 'Unknown');
    write(byId('event-next'), error.kind === 'rights'
      ? 'These keys are not allowed to read this event’s document, so its phase is unknown.'
      : error.message);
    byId('event-facts').replaceChildren(make('dt', {}, 'Event ID'), make('dd', {}, eventId));
    this.#showActions();
  }

  #showActions() {
    for (const [action, { button, reason }] of this.#buttons) {
      const refusal = this.#event === null ? 'The event is not loaded yet.' : refusalOf(action, this.#event);
      button.hidden = !this.#context.limited && FULL_CONSOLE_HAS.includes(action);
      button.classList.toggle('danger', Boolean(ACTIONS[action].danger) && !refusal);
      button.toggleAttribute('data-forbidden', Boolean(refusal));
      if (refusal) button.setAttribute('aria-describedby', reason.id);
      else button.removeAttribute('aria-describedby');
      write(reason, refusal);
    }
  }

  async #press(action) {
    const { api } = this.#context;
    const event = this.#event;
    if (api === null || event === null || this.#card.dataset.busy) return;
    this.#context.endRefusal(this.#card);
    const refusal = refusalOf(action, event);
    if (refusal) {
      this.#context.refuse(this.#card, refusal, event.phase);
      return;
    }
    const options = confirmationOf(action, event, this.#context.numbers);
    if (action === 'reset') options.typed = event.event_id;
    if (action === 'admit') {
      options.number = { label: 'Number of visitors', read: wholeNumber, wrong: `Enter a whole number from 1 to ${count(MAX_MOVE)}.` };
    }
    const agreed = await confirmed(options);
    if (agreed === false || api !== this.#context.api) return;
    await this.#run(action, event, agreed);
  }

  async #run(action, event, number) {
    const content = {};
    if (action === 'admit') Object.assign(content, { by: number, call_id: newCallId() });
    const what = action === 'admit' ? `Admit ${count(number)}` : ACTIONS[action].label;
    this.#sequence += 1; // a read that is under way may have the document from before
    const done = await this.#context.runAction(this.#card, `${what}: ${nameOf(event)}`,
      (api) => api.act(action, content),
      (after) => [doneText(action, after, number), noUndoText(action, event, after)].filter(Boolean).join(' '),
      {
        once: action === 'admit',
        check: action === 'admit' ? 'the metrics' : 'the event',
        then: (after) => {
          this.#sequence += 1;
          this.show(after);
          this.#undo.offer(undoOf(action, event, after), after);
        },
      });
    if (done === null) this.read(); // the phase may be another than the one shown
  }

  /** Show the result of an edit, which can be undone. */
  edited(after, before) {
    this.#sequence += 1;
    this.show(after);
    this.#undo.offer(undoEditOf(before), after);
  }

  async #undoChange(undo) {
    if (undo.eventId !== this.#context.api?.eventId || this.#card.dataset.busy) return;
    this.#undo.offer(null);
    this.#sequence += 1;
    const done = await this.#context.runAction(this.#card, undo.label,
      (api) => {
        if (undo.action) return api.act(undo.action);
        if (undo.schedule) return api.patchEvent({ schedule: undo.schedule }, undo.version);
        const { control, ...document } = documentOf(undo.document);
        return api.putEvent(document, undo.version);
      },
      (after) => `Undone: ${nameOf(after)} is ${phaseOf(after)[0].toLowerCase()}, version ${count(after.version)}.`,
      { check: 'the event', then: (after) => { this.#sequence += 1; this.show(after); } });
    if (done === null) this.read();
  }

  async #delete() {
    const { api } = this.#context;
    const event = this.#event;
    if (api === null || !event?.phase || this.#card.dataset.busy) return;
    const why = deletionRefusal(event);
    if (why) {
      this.#context.refuse(this.#card, why, event.phase);
      return;
    }
    const numbers = numbersText(this.#context.numbers);
    const agreed = await confirmed({
      title: `Delete ${nameOf(event)}?`,
      words: `Its queue and its sessions end. Tokens already issued stay valid until they expire. The audit log is kept for 90 days. This cannot be undone.\n${numbers}`.trim(),
      action: 'Delete event',
      typed: event.event_id,
    });
    if (!agreed || api !== this.#context.api) return;
    this.#sequence += 1;
    const done = await this.#context.runAction(this.#card, `Delete ${nameOf(event)}`, (now) => now.deleteEvent(event.version),
      () => `${nameOf(event)} was deleted.`, { check: 'the list of events', then: () => this.#deleted(event) });
    if (done === null) this.read(); // it may be deleted already, or have another version
  }
}
