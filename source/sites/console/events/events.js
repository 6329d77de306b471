// SPDX-License-Identifier: Apache-2.0
/** Phases, scheduled changes and actions of an event. Times are in epoch seconds. */

import { count, some, span } from '../page/format.js';

export const GONE = 'This event no longer exists. Choose another event in the list.';

/** Phase → name, and state of its chip. */
export const PHASES = {
  scheduled: ['Scheduled', ''],
  pre_queue: ['Pre-queue', 'paused'],
  open: ['Open', 'live'],
  paused: ['Paused', 'paused'],
  draining: ['Draining', 'paused'],
  closed: ['Closed', ''],
  pass_through: ['Pass-through', 'live'],
};

/** Return name and chip state of a phase; a phase that this page does not know keeps its name. */
export function phaseOf(event) {
  return PHASES[event.phase] ?? [event.phase, ''];
}

/** Return the next change of the schedule, `{at, words}`, or null. `words` is a verb: "Opens". */
export function nextChange({ phase, schedule }) {
  const { pre_queue_at: preQueueAt, opens_at: opensAt, closes_at: closesAt, after } = schedule;
  if (phase === 'closed') return null;
  if (phase === 'scheduled' && preQueueAt !== null) return { at: preQueueAt, words: 'Pre-queue begins' };
  if ((phase === 'scheduled' || phase === 'pre_queue') && opensAt !== null) return { at: opensAt, words: 'Opens' };
  if (closesAt === null || (phase === 'pass_through' && after === 'pass_through')) return null;
  return { at: closesAt, words: after === 'pass_through' ? 'Passes visitors through' : 'Closes' };
}

/** Describe the next change at `now`: "Opens in 1 h 5 min"; empty without one. */
export function countdown(event, now) {
  const change = nextChange(event);
  if (change === null) return '';
  const left = Math.ceil(change.at - now);
  return left > 0 ? `${change.words} in ${span(left)}` : `${change.words} now`;
}

const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufefc]/;

/** Return title and id of an event: "Spring tour (onsale)"; a right-to-left title is isolated. */
export function nameOf({ title, event_id: id }) {
  if (!title) return id;
  return `${RIGHT_TO_LEFT.test(title) ? `\u2068${title}\u2069` : title} (${id})`;
}

/** Text of a pause: who can still enter. */
function stays(numbers) {
  if (!numbers) return 'Visitors can still join. The serving position stays until you resume the event. Visitors up to it can still enter.';
  const { serving, queue } = numbers;
  const next = serving > queue ? ` So can the next ${some(serving - queue, 'visitor')} to join.` : '';
  return `Visitors can still join. The serving position stays at ${count(serving)} until you resume the event. Visitors up to it can still enter.${next}`;
}

/**
 * Actions of the API. `label`: button. `effect(numbers)`: text of the confirmation. `refusal(event)`:
 * why the action is not possible, or empty; the rules are those of the API, and an action without an
 * effect is not offered.
 */
export const ACTIONS = {
  open: {
    label: 'Open',
    effect: () => 'Visitors can join now, and they can be admitted.',
    refusal: ({ phase }) => (phase === 'open' ? 'it is open already' : ''),
  },
  pause: {
    label: 'Pause',
    effect: stays,
    refusal: ({ phase }) => (phase === 'open' ? '' : 'only an open event can be paused'),
  },
  resume: {
    label: 'Resume',
    effect: () => 'Visitors can be admitted again.',
    refusal: ({ phase }) => (phase === 'paused' ? '' : 'only a paused event can be resumed'),
  },
  drain: {
    label: 'Drain',
    danger: true,
    effect: () => 'No one can join any more. Visitors who wait can still be admitted.',
    refusal: ({ phase }) => (['open', 'paused'].includes(phase) ? '' : 'only an open or a paused event can be drained'),
  },
  close: {
    label: 'Close',
    danger: true,
    effect: (numbers) => (numbers?.waiting
      ? `${some(numbers.waiting, 'visitor who waits gets', 'visitors who wait get')} no token. No one can join. Tokens already issued stay valid.`
      : 'No one can join, and no token is issued. Tokens already issued stay valid.'),
    refusal: ({ phase }) => (phase === 'closed' ? 'it is closed already' : ''),
  },
  pass_through: {
    label: 'Pass through',
    danger: true,
    effect: () => 'Every visitor is admitted at once, without waiting. Those who wait are admitted too.',
    refusal: ({ phase, mode }) => {
      if (phase === 'closed') return 'a closed event has to be opened first';
      return mode === 'pass_through' ? 'it passes visitors through already' : '';
    },
  },
  queue: {
    label: 'Queue',
    effect: () => 'New visitors wait in the queue again.',
    refusal: ({ phase, mode }) => {
      if (phase === 'closed') return 'a closed event has to be opened first';
      if (mode === 'pass_through') return '';
      return phase === 'pass_through'
        ? 'it passes visitors through since its closing time; open it instead'
        : 'visitors wait in the queue already';
    },
  },
  admit: {
    label: 'Admit visitors',
    effect: () => '',
    refusal: ({ phase }) => (['open', 'draining'].includes(phase) ? '' : 'visitors are admitted while it is open or draining only'),
  },
  reset: {
    label: 'Reset this event',
    danger: true,
    effect: (numbers) => `${numbers ? some(numbers.waiting, 'waiting visitor loses', 'waiting visitors lose') : 'All visitors lose'} their position, all metrics restart at zero, and the message to visitors is deleted. Other events stay as they are. This cannot be undone.`,
    refusal: () => '',
  },
};

/** Return why an action is not possible, as a sentence; empty if it is, or if the phase is unknown. */
export function refusalOf(action, event) {
  if (event?.gone) return GONE;
  if (!event?.phase) return '';
  const why = ACTIONS[action].refusal(event);
  if (!why) return '';
  const [phase] = phaseOf(event);
  const known = why.startsWith('it is ') ? '' : `The event is ${phase.toLowerCase()}: `;
  return `${known || 'Not possible: '}${why}.`;
}

const ADMITTING = ['open', 'draining']; // phases in which the API moves the serving position
const NOT_ADMITTING = {
  scheduled: 'before the opening. Open the event first.',
  pre_queue: 'in the pre-queue. Open the event first.',
  paused: 'while the event is paused. Resume it first.',
  closed: 'while the event is closed. Open it first.',
  pass_through: 'while the event passes visitors through: they need no admission.',
};

/** Return why the serving position cannot be moved in a phase; empty if it can, or if the phase is unknown. */
export function admissionRefusal(phase) {
  return phase === '' || ADMITTING.includes(phase) || !(phase in NOT_ADMITTING)
    ? ''
    : `Admission is not possible ${NOT_ADMITTING[phase]}`;
}

/** Return the strategy of automatic admission; empty for "manual", or if it is unknown. */
export function automaticStrategy(event) {
  const strategy = event?.admission?.strategy ?? 'manual';
  return strategy === 'manual' ? '' : strategy;
}

/**
 * Return the event to show after another one was deleted, or null: that of the deployment if it is
 * another one, otherwise the first of the list.
 */
export function replacementOf(deleted, own, listed) {
  return [own, ...listed].find((id) => id && id !== deleted) ?? null;
}

/** Return the options of `confirmed` for an action. `numbers`: `{queue, serving, waiting}` or null. */
export function confirmationOf(action, event, numbers) {
  const { label, effect, danger = false } = ACTIONS[action];
  const words = [effect(numbers), numbersText(numbers)].filter(Boolean).join('\n');
  return { title: `${label}: ${nameOf(event)}?`, words, action: label, danger };
}

/** Return why an event cannot be deleted; empty if it can. */
export function deletionRefusal({ phase, protect = [] }) {
  if (phase !== 'closed') return 'Close the event first: only a closed event can be deleted.';
  return protect.length ? 'Remove the rules of “Protected addresses” first: no deletion may open a site.' : '';
}

/** Describe the result of an action. */
export function doneText(action, after, number) {
  const [phase] = phaseOf(after);
  if (action === 'admit') return `The serving position was raised by ${count(number)}.`;
  if (action === 'reset') return `${nameOf(after)} was reset.`;
  return `${nameOf(after)} is ${phase.toLowerCase()}.`;
}

/** Describe the numbers of an event; empty if they are unknown. */
export function numbersText(numbers) {
  if (numbers === null) return '';
  return `Positions assigned: ${count(numbers.queue)}. Serving position: ${count(numbers.serving)}. Waiting: ${count(numbers.waiting)}.${Number.isFinite(numbers.active) ? ` Active: ${count(numbers.active)}.` : ''}`;
}

/** Describe the numbers that a change may affect; empty if they are unknown. */
export function liveNumbersText(numbers) {
  if (numbers === null) return '';
  const active = Number.isFinite(numbers.active) ? ` Active: ${count(numbers.active)}.` : '';
  return `Now: ${count(numbers.waiting)} waiting, serving position ${count(numbers.serving)} of ${count(numbers.queue)}.${active}`;
}

const EVENT_ID = /^(?!\.{1,2}$)[A-Za-z0-9_.-]{1,64}$/; // a path of dots would be another address

/** Return whether a text can be the id of an event. */
export function isEventId(text) {
  return EVENT_ID.test(text);
}

const TOLERANCE = 2_000; // milliseconds; times of responses are whole seconds, and calls take time

/** Clock of the API's server, as far as its responses tell it. */
export class ServerClock {
  #ahead = null; // milliseconds by which the server's clock is ahead of this device's
  #clock;

  constructor(clock = () => Date.now()) {
    this.#clock = clock;
  }

  /** Take the time of a response, in epoch ms; null without one. */
  observe(serverTime) {
    if (!Number.isFinite(serverTime)) return;
    const ahead = serverTime - this.#clock();
    // a time is cut to its second and arrives late, so the largest difference is the best one
    if (this.#ahead === null || ahead > this.#ahead || this.#ahead - ahead > TOLERANCE) this.#ahead = ahead;
  }

  /** Return the server's time in epoch seconds; before the first response, this device's. */
  now() {
    return (this.#clock() + (this.#ahead ?? 0)) / 1000;
  }
}
