// SPDX-License-Identifier: Apache-2.0
// States of the waiting page for its preview: what the room would return in each, and what the browser
// would have stored. `now` is in epoch seconds.
const ID = "00000000-0000-4000-8000-000000000000";
const NUMBER = 1_284;
const HOUR = 3_600;
const MESSAGE = "We admit 12 people a minute. There are tickets for everyone in line.";

/** Status of an event at which many wait. */
const queue = (now) => ({
  serving_counter: 1_240, waiting_num: 5_321, queue_counter: 6_605,
  admission_rate_per_minute: 12.4, optimistic_rate_per_minute: 12.4, poll_after_seconds: 30,
  message: "", now, moved_at: now, first_moved_at: now - HOUR, every: 60,
  phase: "open", pre_queue_at: null, opens_at: null, closes_at: null,
});
const soon = (now) => ({ ...queue(now), opens_at: now + 2 * HOUR });
const notYet = (now, phase) => ({
  ...soon(now), phase, serving_counter: 0, moved_at: null, first_moved_at: null, every: null,
  admission_rate_per_minute: 0, optimistic_rate_per_minute: 0,
});
const phase = (name) => (now) => ({ ...queue(now), phase: name });
const held = { position: { request_id: ID, number: NUMBER, start: 1_200 } };
const served = (now) => ({ ...queue(now), serving_counter: NUMBER + 10 });
const ended = (reason) => ({
  ...held, status: served,
  replies: { "/queue_num": [410, { error: reason, reason }], "/queue_pos_expiry": [410, { error: reason, reason }] },
});

/** Each state by its name: label, status, stored position, responses of routes, and fault of the network. */
export const STATES = {
  outside: { label: "Before the visitor joins" },
  scheduled: { label: "Scheduled", status: (now) => notYet(now, "scheduled") },
  "pre-queue": { label: "Pre-queue", status: (now) => notYet(now, "pre_queue") },
  "pass-through": { label: "Pass-through", status: phase("pass_through") },
  draining: { label: "Draining", status: phase("draining") },
  closed: { label: "Closed", status: phase("closed") },
  unknown: { label: "Unknown event", replies: { "/status": [400, { error: "unknown", reason: "unknown_event" }] } },
  placing: { label: "Waiting for a number", position: { request_id: ID }, replies: { "/queue_num": [202, { error: "not yet" }] } },
  waiting: { label: "Waiting", ...held },
  "waiting-opening": { label: "Waiting for the opening", ...held, status: (now) => notYet(now, "pre_queue") },
  near: { label: "Near the front", ...held, status: (now) => ({ ...queue(now), serving_counter: NUMBER - 6 }) },
  next: { label: "The next visitor", ...held, status: (now) => ({ ...queue(now), serving_counter: NUMBER - 1 }) },
  paused: { label: "Waiting while paused", ...held, status: phase("paused") },
  message: { label: "Waiting, with a message", ...held, status: (now) => ({ ...queue(now), message: MESSAGE }) },
  busy: { label: "Waiting, the room is busy", ...held, fault: "busy" },
  unreachable: { label: "Waiting, the room does not respond", ...held, fault: "down" },
  offline: { label: "Waiting, offline", ...held, fault: "offline" },
  portal: { label: "Waiting, the network asks to sign in", ...held, fault: "portal" },
  turn: { label: "The visitor's turn", ...held, status: served },
  inside: { label: "Inside, with the time left", position: { ...held.position, taken: true }, status: served },
  expired: { label: "The turn has passed", ...ended("position_expired") },
  "session-expired": { label: "The session has expired", ...ended("token_expired") },
  ended: { label: "The session has ended", ...ended("session_ended") },
  reset: { label: "The queue was restarted", ...ended("reset") },
};

/** The response of a route in a state: `[status, content]`. */
export function replyOf({ status = queue, replies = {} }, route, now) {
  if (replies[route]) return replies[route];
  const found = status(now);
  return {
    "/status": [200, found],
    "/assign_queue_num": [200, { api_request_id: ID }],
    "/queue_num": [200, { queue_number: NUMBER, entry_time: Math.floor(now), status: 1 }],
    "/serving_num": [200, { serving_counter: found.serving_counter }],
    "/waiting_num": [200, { waiting_num: found.waiting_num }],
    "/queue_pos_expiry": [200, { expires_in: 600 }],
    "/generate_token": [200, { access_token: "preview", refresh_token: "preview", id_token: "preview", token_type: "Bearer", expires_in: 900 }],
  }[route] || [404, { error: "The preview has no such route." }];
}
