// SPDX-License-Identifier: Apache-2.0
// Detection of responses that only the room can send. All others are network faults: they come from
// proxies, captive portals, firewalls and browsers, and give no information about a position.
const ID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i;
const REASONS = new Map([
  ["reset", "reset"],
  ["position_expired", "expired"],
  ["token_expired", "session_expired"],
  ["session_ended", "ended"],
  // refused joins
  ...["not_open", "draining", "closed", "unknown_event", "client_secret"].map((one) => [one, one]),
  ...["proof", "invitation", "identity"].map((one) => [one, "join_refused"]),
]);
const count = (value) => Number.isSafeInteger(value) && value >= 0;

/** Required content of a 200 response, by route. */
const REQUIRED = {
  "/assign_queue_num": (content) => isId(content.api_request_id),
  "/queue_num": (content) => count(content.queue_number) && content.queue_number > 0,
  "/queue_pos_expiry": (content) => Number.isFinite(content.expires_in),
  "/generate_token": ({ access_token }) => typeof access_token === "string" && access_token !== "",
  "/status": (content) => count(content.serving_counter),
  "/serving_num": (content) => count(content.serving_counter),
  "/waiting_num": (content) => Number.isFinite(content.waiting_num),
};

const MAY_RETURN_202 = ["/queue_num", "/queue_pos_expiry", "/generate_token"];

export const isId = (value) => typeof value === "string" && ID.test(value);

/** Reason for which a response ends a position or refuses a join: as in `State`, or unsaid; else null. */
export function ending({ status, content }) {
  if (status === 410) return REASONS.get(content.reason) ?? "unsaid";
  return status === 403 ? "refused" : null;
}

/**
 * Return whether a response comes from the room of `eventId`. `plain`: a room of the AWS solution,
 * which returns no reasons. A 400 of the join counts too: there is no position that could be lost.
 */
export function isOfTheRoom(route, { status, content }, eventId, plain = false) {
  if (typeof content !== "object" || content === null || Array.isArray(content)) return false;
  if (content.event_id !== undefined && content.event_id !== eventId) return false;
  const join = route === "/assign_queue_num";
  const said = typeof content.error === "string";
  if (status === 200) return REQUIRED[route](content);
  if (status === 202) return said && MAY_RETURN_202.includes(route);
  if (status === 400 && route === "/status") return said && content.reason === "unknown_event";
  if (status === 400) return join && (said || typeof content.message === "string");
  if (status === 410) return !join && said && (REASONS.has(content.reason) || plain);
  return status === 403 && route === "/generate_token" && /client.?secret/i.test(content.error);
}

/**
 * Return whether the network answered instead of the room, with a page of its own: a sign-in page of a
 * hotel or a train. `url`: the address after redirects.
 */
export function isPortal({ status, url, type }, address) {
  const host = (one) => (/^https?:\/\/([^/]+)/.exec(one) || [])[1];
  const elsewhere = host(url) !== undefined && host(address) !== undefined && host(url) !== host(address);
  return status === 511 || elsewhere || (status === 200 && /^text\/html/i.test(type ?? ""));
}

/** Parse `Retry-After` to seconds, at `now` (ms since 1970); 0 if it is missing or in the past. */
export function retryAfterSeconds(text, now) {
  if (!text) return 0;
  const seconds = /^\s*\d+\s*$/.test(text) ? Number(text) : (Date.parse(text) - now) / 1000;
  return seconds > 0 ? seconds : 0;
}
