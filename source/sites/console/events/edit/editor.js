// SPDX-License-Identifier: Apache-2.0
/** Card in which an operator creates, copies and edits an event. Its input stays until it is saved or discarded. */

import { h, render } from 'preact';
import { cardOf } from '../../page/console-context.js';
import { confirmed } from '../../page/confirm.js';
import { announce, byId, write } from '../../page/dom.js';
import { dateTime } from '../../page/format.js';
import { shortName } from '../../live/audit-words.js';
import { liveNumbersText, nameOf } from '../events.js';
import { beginDraft, conflicted, documentOf, isChanged, refused, resolved, reviewed, summaryOf, taken, toForm, typed } from './draft.js';
import { defaultsOf, groupsOf } from './fields.js';
import { ConflictView, ReviewView } from './review-view.js';
import { FormView, OPEN } from './form-view.js';
import { FIELDS, schema } from './schema-fields.js';
import { fieldNamed } from './sentences.js';
import { warningsOf } from './warnings.js';

const GROUPS = groupsOf(schema, FIELDS);
const DEFAULTS = defaultsOf(schema);

export class EventEditor {
  #context;
  #saved;
  #exists;
  #pageAddress = '';
  #opened = new Set(OPEN); // groups of the form
  #card = cardOf(byId('editor-body'));
  #draft = null;
  #title = '';
  #before = null; // the response that is edited
  #who = '';

  /**
   * `saved(after, before)` gets the responses; `before` is null for a new event. `exists(eventId)`
   * returns whether an event has this id, as far as the console knows.
   */
  constructor(context, saved, exists) {
    this.#context = context;
    this.#saved = saved;
    this.#exists = exists;
  }

  /** Address of the waiting page, to whose texts the form links; empty if it is not known. */
  set pageAddress(address) {
    this.#pageAddress = address;
  }

  /** Whether there is input that is not saved. */
  get isChanged() {
    return this.#draft !== null && isChanged(this.#draft);
  }

  create() {
    this.#open('Create an event', beginDraft(FIELDS, { document: DEFAULTS }));
  }

  copy(event) {
    const document = { ...documentOf(event), control: DEFAULTS.control };
    this.#open(`Copy ${nameOf(event)}`, beginDraft(FIELDS, { document, origin: DEFAULTS }));
  }

  edit(event) {
    const draft = beginDraft(FIELDS, { eventId: event.event_id, document: documentOf(event), version: event.version });
    this.#open(`Edit ${nameOf(event)}`, draft, event);
  }

  /** Delete the input and hide the card. */
  close() {
    this.#draft = null;
    this.#before = null;
    this.#context.showResult(this.#card, 'done', '');
    this.#show();
  }

  /** Ask before input is lost; resolves to whether it may be. */
  async mayClose(what = 'Discard the changes?') {
    if (!this.isChanged) return true;
    return confirmed({ title: what, words: `${this.#title}: your input is not saved.`, action: 'Discard' });
  }

  async #open(title, draft, before = null) {
    if (!(await this.mayClose())) return;
    this.#title = title;
    this.#before = before;
    this.#opened = new Set(OPEN);
    this.#step(draft);
  }

  #step(draft) {
    const wrong = Object.keys(draft.errors);
    const moved = draft.step !== this.#draft?.step || wrong.length > 0;
    for (const { name, fields } of GROUPS) if (fields.some(({ path }) => wrong.includes(path))) this.#opened.add(name);
    this.#draft = draft;
    this.#context.showResult(this.#card, 'done', ''); // that of an earlier attempt
    this.#show();
    if (moved) this.#focus();
  }

  /** Focus the first wrong field, or what says that the whole is wrong, otherwise the title. */
  #focus() {
    const body = byId('editor-body');
    const wrong = body.querySelector('[aria-invalid]') ?? body.querySelector('.summary');
    (wrong ?? byId('editor-title')).focus({ preventScroll: true });
    if (wrong) (wrong.closest('.field') ?? wrong).scrollIntoView({ block: 'center' });
    else byId('editor-title').scrollIntoView({ block: 'nearest' });
    if (wrong) announce(summaryOf(this.#draft, FIELDS));
  }

  #show() {
    const draft = this.#draft;
    byId('editor').hidden = draft === null;
    write(byId('editor-title'), this.#title);
    render(draft && this.#view(draft), byId('editor-body'));
  }

  #view(draft) {
    const name = this.#before ? nameOf(this.#before) : draft.eventId;
    if (draft.step === 'review') {
      const chosen = this.#before !== null && this.#before.event_id === this.#context.api?.eventId;
      return h(ReviewView, {
        draft, name,
        warnings: warningsOf(draft.document, DEFAULTS, draft.version === null ? null : draft.changes.map(({ field }) => field.path)),
        numbers: chosen ? liveNumbersText(this.#context.numbers) : '',
        save: () => this.#save(),
        back: () => this.#step(toForm(this.#draft)),
      });
    }
    if (draft.step === 'conflict') {
      return h(ConflictView, { draft, name, who: this.#who, keep: (what) => this.#keep(what) });
    }
    return h(FormView, {
      draft, groups: GROUPS, now: Date.now() / 1000, opened: this.#opened, pageAddress: this.#pageAddress,
      toggle: (name, open) => {
        if (open) this.#opened.add(name);
        else this.#opened.delete(name);
        this.#show();
      },
      type: (path, text) => {
        this.#draft = typed(this.#draft, path, text);
        this.#context.showResult(this.#card, 'done', '');
        this.#show();
      },
      review: () => this.#step(reviewed(this.#draft, FIELDS, this.#exists)),
      close: async () => { if (await this.mayClose()) this.close(); },
    });
  }

  #keep(what) {
    this.#before = { ...this.#before, ...this.#draft.theirs.document, version: this.#draft.theirs.version };
    this.#step(resolved(this.#draft, FIELDS, what));
  }

  async #save() {
    const draft = this.#draft;
    const { eventId, document, version } = draft;
    let failure = null;
    const action = version === null ? `Create ${eventId}` : `Change ${eventId}`;
    const after = await this.#context.runAction(this.#card, action,
      (api) => api.of(eventId).putEvent(document, version),
      (response) => `${nameOf(response)} was saved. It has version ${response.version}.`,
      { failed: (error) => { failure = error; } });
    if (draft !== this.#draft) return;
    if (after !== null) {
      const before = this.#before;
      this.close();
      this.#saved(after, before);
    } else if (failure) await this.#explain(draft, failure);
  }

  async #explain(draft, failure) {
    if (failure.status === 400 || (failure.status === 409 && fieldNamed(FIELDS, failure.said))) {
      this.#step(refused(draft, FIELDS, failure.said));
    } else if (failure.status === 409 && failure.current && draft.version === null) {
      this.#step(taken(draft));
    } else if (failure.status === 409 && failure.current) {
      this.#who = await this.#author(draft);
      if (draft === this.#draft) this.#step(conflicted(draft, FIELDS, failure.current));
    }
  }

  /** Describe who changed the document last, as far as the audit log tells it. */
  async #author(draft) {
    try {
      const { entries } = await this.#context.api.of(draft.eventId).audit();
      const last = entries.find(({ role, what }) => role !== 'admission' && !['admit', 'message', 'phase'].includes(what));
      return last ? `The last change (${last.what}) was made by ${shortName(last.who)} on ${dateTime(last.at * 1000)}.` : '';
    } catch {
      return '';
    }
  }
}
