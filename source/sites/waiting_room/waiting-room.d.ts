// SPDX-License-Identifier: Apache-2.0
/** Types of waiting-room.js. */

/** `long`: more than `from` minutes; `soon`: less than a minute; `opening`: admission begins at `opensAt`. */
export type Wait =
  | { readonly kind: "unknown" | "paused" | "soon" }
  | { readonly kind: "opening"; readonly opensAt: number | null }
  | { readonly kind: "range"; readonly from: number; readonly to: number }
  | { readonly kind: "long"; readonly from: number };

/** Times are ms since 1970 by the clock of the server, for display and for `serverNow()`. */
export interface Event {
  /** `unknown`: there is no such event. */
  readonly phase:
    | "scheduled" | "pre_queue" | "open" | "paused" | "draining" | "closed" | "pass_through" | "unknown";
  readonly preQueueAt: number | null;
  readonly opensAt: number | null;
  readonly closesAt: number | null;
  /** Version of the event's own title and page, which `GET /page` returns; empty without them. */
  readonly page: string;
}

export interface Trouble {
  /** `portal`: a page of the network answered, such as the sign-in page of a hotel. */
  readonly kind: "offline" | "busy" | "unreachable" | "portal";
  /** Time of the next attempt: ms since 1970, by `now()` of the room. */
  readonly retryAt: number;
}

export interface State {
  readonly phase: "loading" | "outside" | "joining" | "placing" | "waiting" | "turn" | "over";
  /** The event; undefined before the first response. */
  readonly event?: Event;
  /** Reason of the phase `over`; the second line are refused joins. */
  readonly reason?:
    | "expired" | "session_expired" | "reset" | "ended" | "refused"
    | "not_open" | "draining" | "closed" | "unknown_event" | "client_secret" | "join_refused";
  readonly number?: number;
  /** Number of positions still to be served, up to and including the visitor's own. */
  readonly ahead?: number;
  readonly serving?: number;
  readonly waiting?: number;
  readonly queue?: number;
  readonly message?: string;
  /** Positions per minute; 0 if nothing moved in five minutes. */
  readonly rate?: number;
  /** Set in the phase `waiting`. */
  readonly wait?: Wait | null;
  /** Progress from 0 to 1. */
  readonly progress?: number;
  /** Expiry of the position: ms since 1970, by `now()` of the room. */
  readonly expiresAt?: number | null;
  readonly trouble: Trouble | null;
  /** True if there is a position; if a token was requested; if the browser stores the position. */
  readonly held?: boolean;
  readonly taken: boolean;
  readonly kept: boolean;
}

export interface Tokens {
  readonly access_token: string;
  readonly refresh_token: string;
  readonly id_token: string;
  readonly token_type: "Bearer";
  /** Validity in seconds. */
  readonly expires_in: number;
}

export interface Room {
  /** Calls `listener` now and after every change; returns a function that stops the calls. */
  watch(listener: (state: State) => void): () => void;
  /** Joins the queue, unless this browser has a position; rejects if the room rejects or never responds. */
  join(): Promise<void>;
  /** Requests the token set; null while the visitor is not served. */
  token(): Promise<Tokens | null>;
  /** Credentials for an OpenID provider's `/authorize/continue`. */
  proof(): { readonly request_id?: string; readonly client_secret?: string };
  /** Current time: ms since 1970, by a clock without jumps. */
  now(): number;
  /** Current time of the server: ms since 1970; null while unknown. */
  serverNow(): number | null;
  /** Polls now, unless the server set a pause. */
  retry(): void;
}

export interface Options {
  eventId: string;
  /** Address of the public API, without a trailing slash. */
  publicApi: string;
}

export function waitingRoom(options: Options): Room;

/** Seconds to the next attempt after this number of failures. */
export function backOff(failures: number, retryAfter?: number, random?: number): number;
