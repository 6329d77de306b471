// SPDX-License-Identifier: Apache-2.0
// Which answers the room alone can have given. All others are faults of the network: proxies, captive
// portals, firewalls and browsers give them, and none of them says anything about a place.
const ID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i;
const REASONS = new Map([
  ["reset", "reset"],
  ["position_expired", "expired"],
  ["token_expired", "session_expired"],
  ["session_ended", "ended"],
]);
const count = (value) => Number.isSafeInteger(value) && value >= 0;

/** What a route's 200 cannot be without. */
const GIVES = {
  "/assign_queue_num": (content) => isId(content.api_request_id),
  "/queue_num": (content) => count(content.queue_number) && content.queue_number > 0,
  "/queue_pos_expiry": (content) => Number.isFinite(content.expires_in),
  "/generate_token": ({ access_token }) => typeof access_token === "string" && access_token !== "",
  "/status": (content) => count(content.serving_counter),
  "/serving_num": (content) => count(content.serving_counter),
  "/waiting_num": (content) => Number.isFinite(content.waiting_num),
};

const LATER = ["/queue_num", "/queue_pos_expiry", "/generate_token"];

export const isId = (value) => typeof value === "string" && ID.test(value);

/** Why an answer ends a place: reset, expired, ended, refused; unsaid without a reason; or null. */
export function ending({ status, content }) {
  if (status === 410) return REASONS.get(content.reason) ?? "unsaid";
  return status === 403 ? "refused" : null;
}

/**
 * Whether the room of `eventId` has given it. `plain`: a room of the AWS solution, which gives no
 * reasons. The join's 400 is of the room, too: it holds no place that could be lost.
 */
export function isOfTheRoom(route, { status, content }, eventId, plain = false) {
  if (typeof content !== "object" || content === null || Array.isArray(content)) return false;
  if (content.event_id !== undefined && content.event_id !== eventId) return false;
  const join = route === "/assign_queue_num";
  const said = typeof content.error === "string";
  if (status === 200) return GIVES[route](content);
  if (status === 202) return said && LATER.includes(route);
  if (status === 400) return join && (said || typeof content.message === "string");
  if (status === 410) return !join && said && (REASONS.has(content.reason) || plain);
  return status === 403 && route === "/generate_token" && /client.?secret/i.test(content.error);
}

/** Seconds that `Retry-After` asks for, at `now` (ms since 1970); 0 when it asks for nothing. */
export function secondsAsked(text, now) {
  if (!text) return 0;
  const seconds = /^\s*\d+\s*$/.test(text) ? Number(text) : (Date.parse(text) - now) / 1000;
  return seconds > 0 ? seconds : 0;
}
