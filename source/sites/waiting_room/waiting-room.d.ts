// SPDX-License-Identifier: Apache-2.0
/** The types of waiting-room.js. */

/** `long`: more than `from` minutes; `soon`: less than a minute. */
export type Wait =
  | { readonly kind: "unknown" | "paused" | "soon" }
  | { readonly kind: "range"; readonly from: number; readonly to: number }
  | { readonly kind: "long"; readonly from: number };

export interface Trouble {
  readonly kind: "offline" | "busy" | "unreachable";
  /** When the next try is made: ms since 1970, by `now()` of the room. */
  readonly retryAt: number;
}

export interface State {
  readonly phase: "loading" | "outside" | "joining" | "placing" | "waiting" | "turn" | "over";
  /** Why it is over. */
  readonly reason?: "expired" | "session_expired" | "reset" | "ended" | "refused";
  readonly number?: number;
  /** Places still to be served up to the visitor's own, which is counted. */
  readonly ahead?: number;
  readonly serving?: number;
  readonly waiting?: number;
  readonly queue?: number;
  readonly message?: string;
  /** Places a minute; 0 when nothing moved in five minutes. */
  readonly rate?: number;
  /** While waiting. */
  readonly wait?: Wait | null;
  /** 0 to 1. */
  readonly progress?: number;
  /** Until when the turn can be taken: ms since 1970, by `now()` of the room. */
  readonly expiresAt?: number | null;
  readonly trouble: Trouble | null;
  /** Whether there is a place; whether a token was taken; whether the browser stores the place. */
  readonly held?: boolean;
  readonly taken: boolean;
  readonly kept: boolean;
}

export interface Tokens {
  readonly access_token: string;
  readonly refresh_token: string;
  readonly id_token: string;
  readonly token_type: "Bearer";
  /** Seconds. */
  readonly expires_in: number;
}

export interface Room {
  /** Calls `listener` now and whenever something changes; answers how to stop. */
  watch(listener: (state: State) => void): () => void;
  /** Takes a place, unless this browser has one; rejects when the room refuses or never answers. */
  join(): Promise<void>;
  /** The token set at the visitor's turn; null when it is not. */
  token(): Promise<Tokens | null>;
  /** What an OpenID provider's `/authorize/continue` needs. */
  proof(): { readonly request_id?: string; readonly client_secret?: string };
  /** Ms since 1970, by a clock that does not jump. */
  now(): number;
  /** Asks now, unless the server said when. */
  retry(): void;
}

export interface Options {
  eventId: string;
  /** The address of the public API, without a slash at the end. */
  publicApi: string;
}

export function waitingRoom(options: Options): Room;

/** Seconds to the next try after so many failures. */
export function backOff(failures: number, retryAfter?: number, random?: number): number;
