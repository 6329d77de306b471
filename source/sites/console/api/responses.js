// SPDX-License-Identifier: Apache-2.0
/** Shapes of the API's responses; a response of another shape did not come from the API. */

export const isCount = (value) => Number.isSafeInteger(value) && value >= 0;
export const isText = (value) => typeof value === 'string';
export const isFlag = (value) => typeof value === 'boolean';
export const isTexts = (value) => Array.isArray(value) && value.every(isText);
export const isCounts = (value) => value !== null && typeof value === 'object' && Object.values(value).every(isCount);
export const orNull = (check) => (value) => value === null || value === undefined || check(value);

const isMoment = (value) => Number.isFinite(value) && value >= 0;
const isLast = (value) => isMoment(value?.at) && Number.isSafeInteger(value?.increment) && isText(value?.reason);

export const MOVED = { serving_num: isCount };
export const MESSAGE = { message: isText };
export const RESET = { message: isText };
export const VISITOR = { request_id: isText, queue_number: isCount, entry_time: isMoment, state: isText };
export const EXPIRED = { request_ids: isTexts, next_token: orNull(isText) };
export const INLET = { strategy: isText, paused: isFlag, targets: isCounts, last: orNull(isLast) };
const isTime = orNull(Number.isFinite);
const isSchedule = (value) => matches(value, { pre_queue_at: isTime, opens_at: isTime, closes_at: isTime, after: isText });
const EVENT_ROW = { event_id: isText, title: isText, phase: isText, version: isCount, schedule: isSchedule };
export const EVENT = { ...EVENT_ROW, mode: isText };
const isObject = (value) => value !== null && typeof value === 'object';
const isRules = (value) => Array.isArray(value) && value.every(isObject);
/** The document of an event with the members that its gate uses. */
export const GATED_EVENT = {
  ...EVENT,
  protect: isRules,
  bypass: isRules,
  control: (value) => matches(value, { closed_at: isTime }),
  session: (value) => matches(value, { renew_every: isCount }),
  site: (value) => matches(value, { origins: isTexts }),
};
export const EVENTS = {
  now: isMoment,
  events: (value) => Array.isArray(value) && value.every((row) => matches(row, EVENT_ROW)),
  next_token: orNull(isText),
};
const isPoint = (value) => matches(value, {
  at: isMoment, joined: isCount, admitted: isCount, arrived: isCount, waiting: isCount, active: isCount,
  left: isCount, no_shows: isCount, wait_p50: orNull(isCount), wait_p95: orNull(isCount),
});
const isAlarm = (value) => matches(value, { name: isText, state: isText, since: isMoment, reason: isText });
const isAdmission = (value) => matches(value, { brake: orNull(Number.isFinite), alarm: orNull(isObject) });
export const ALARMS = { alarms: (value) => Array.isArray(value) && value.every(isAlarm), unread: isTexts, admission: orNull(isAdmission) };
const isEntry = (value) => matches(value, { at: isMoment, who: isText, role: isText, what: isText, before: isObject, after: isObject });
export const AUDIT = { entries: (value) => Array.isArray(value) && value.every(isEntry), next_token: orNull(isText) };
export const DELETED = { event_id: isText };
export const HISTORY = { points: (value) => Array.isArray(value) && value.every(isPoint) };
export const STATUS = { queue_counter: isCount, serving_counter: isCount, waiting_num: isCount, message: orNull(isText) };

/** Return whether a response has these members, each with a valid value. */
export function matches(response, shape) {
  return Object.entries(shape).every(([name, check]) => check(response?.[name]));
}
