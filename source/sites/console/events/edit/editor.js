// SPDX-License-Identifier: Apache-2.0
/** Card in which an operator creates, copies and edits an event. Its input stays until it is saved or discarded. */

import { h, render } from 'preact';
import schema from '../../../../../docs/event.schema.json' with { type: 'json' };
import { cardOf } from '../../page/console-context.js';
import { confirmed } from '../../page/confirm.js';
import { announce, byId, write } from '../../page/dom.js';
import { dateTime } from '../../page/format.js';
import { shortName } from '../../live/audit-words.js';
import { liveNumbersText, nameOf } from '../events.js';
import { beginDraft, conflicted, documentOf, isChanged, refused, resolved, reviewed, toForm, typed } from './draft.js';
import { defaultsOf, fieldsOf, groupsOf } from './fields.js';
import { ConflictView, ReviewView } from './review-view.js';
import { FormView } from './form-view.js';

const FIELDS = fieldsOf(schema);
const GROUPS = groupsOf(schema, FIELDS);

export class EventEditor {
  #context;
  #saved;
  #card = cardOf(byId('editor-body'));
  #draft = null;
  #title = '';
  #before = null; // the response that is edited
  #who = '';

  /** `saved(after, before)` gets the responses; `before` is null for a new event. */
  constructor(context, saved) {
    this.#context = context;
    this.#saved = saved;
  }

  /** Whether there is input that is not saved. */
  get isChanged() {
    return this.#draft !== null && isChanged(this.#draft);
  }

  create() {
    this.#open('Create an event', beginDraft(FIELDS, { document: defaultsOf(schema) }));
  }

  copy(event) {
    const document = { ...documentOf(event), control: defaultsOf(schema).control };
    this.#open(`Copy ${nameOf(event)}`, beginDraft(FIELDS, { eventId: '', document }));
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
    this.#context.showResult(this.#card, 'done', '');
    this.#step(draft);
  }

  #step(draft) {
    const moved = draft.step !== this.#draft?.step || Object.keys(draft.errors).length > 0;
    this.#draft = draft;
    this.#show();
    if (moved) this.#focus();
  }

  #focus() {
    const wrong = byId('editor-body').querySelector('[aria-invalid]');
    (wrong ?? byId('editor-title')).focus();
    byId('editor-title').scrollIntoView({ block: 'nearest' });
    if (wrong) announce(byId('editor-body').querySelector('.wrong').textContent);
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
        numbers: chosen ? liveNumbersText(this.#context.numbers) : '',
        save: () => this.#save(),
        back: () => this.#step(toForm(this.#draft)),
      });
    }
    if (draft.step === 'conflict') {
      return h(ConflictView, { draft, name, who: this.#who, keep: (what) => this.#keep(what) });
    }
    return h(FormView, {
      draft, groups: GROUPS, now: Date.now() / 1000,
      type: (path, text) => {
        this.#draft = typed(this.#draft, path, text);
        this.#show();
      },
      review: () => this.#step(reviewed(this.#draft, FIELDS)),
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
      (response) => `${nameOf(response)} has version ${response.version}.`,
      { failed: (error) => { failure = error; } });
    if (draft !== this.#draft) return;
    if (after !== null) {
      const before = this.#before;
      this.close();
      this.#saved(after, before);
    } else if (failure) await this.#explain(draft, failure);
  }

  async #explain(draft, failure) {
    if (failure.status === 400) this.#step(refused(draft, FIELDS, failure.said));
    else if (failure.status === 409 && failure.current && draft.version === null) {
      this.#step({ ...draft, step: 'form', errors: { event_id: 'An event with this ID exists already.' } });
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


