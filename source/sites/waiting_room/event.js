// SPDX-License-Identifier: Apache-2.0
// State of an event, from a response of /status. Pure functions without a clock.
const PHASES = ["scheduled", "pre_queue", "open", "paused", "draining", "closed", "pass_through", "unknown"];
const NO_JOINS = ["scheduled", "draining", "closed", "unknown"];

const milliseconds = (seconds) => (Number.isFinite(seconds) ? seconds * 1000 : null);

/**
 * Phase and times (ms since 1970) of the event. A room without phases is open; one that cannot read its
 * phase says null, and `before`, the event of the response before, counts.
 */
export function eventOf({ phase, pre_queue_at, opens_at, closes_at, page }, before) {
  if (phase === null && before) return before;
  return Object.freeze({
    phase: PHASES.includes(phase) ? phase : "open",
    preQueueAt: milliseconds(pre_queue_at),
    opensAt: milliseconds(opens_at),
    closesAt: milliseconds(closes_at),
    page: page || "",
  });
}

/** Return whether a visitor can join; true while the phase is not known. */
export const acceptsJoins = (event) => !event || !NO_JOINS.includes(event.phase);

/** Return whether the admission has not begun yet. */
export const awaitsOpening = (event) => Boolean(event) && /^(scheduled|pre_queue)$/.test(event.phase);

/** Time at which the next phase of a scheduled event begins; null without one. */
export function nextOpening(event) {
  if (!awaitsOpening(event)) return null;
  return event.phase === "scheduled" ? (event.preQueueAt ?? event.opensAt) : event.opensAt;
}
