// SPDX-License-Identifier: Apache-2.0
// What a visitor with a position can do: take the turn, buy in the sample store, be alerted. The page
// loads this module once there is a position, and gives it its own functions and values as `page`.
import { extras } from "./extras.js";
import { buy, showReceipt } from "./shop.js";

const MIN_SESSION_CHECK = 5; // s between two checks whether a session has ended
const LONG_HIDDEN = 60_000; // ms after which a session is checked again
const COPIED = 2; // s for which the button shows it
const $ = (id) => document.getElementById(id);

/** Countdown in seconds; a clock jump ends it early, and the page then polls the room. */
function countdown(seconds) {
  const wall = Date.now();
  const run = performance.now();
  return () => seconds - Math.max(Date.now() - wall, performance.now() - run) / 1000;
}

/** Submit a form to an address, so that the values are not in the address. */
function submitForm(action, fields) {
  const leave = document.createElement("form");
  leave.method = "post";
  leave.action = action;
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    leave.append(Object.assign(document.createElement("input"), { type: "hidden", name, value }));
  }
  document.body.append(leave);
  leave.submit();
}

export function visit(page) {
  const { config, room, requested, kept, keep, keyOf, pause, backOff, write, words, render, showFailure } = page;
  const transaction = requested.get("transaction");
  const more = extras();
  let tokens = null; // in memory only
  let sessionLeft = null; // () → seconds
  let receipt = null;
  let leaving = false;
  let resuming = false; // requests the token of a visitor who had one before the reload
  let resumed = false;
  let hiddenAt = null;

  // --- the turn

  async function returnToClient() {
    if (leaving || document.hidden || page.view() !== "turn") return;
    leaving = true;
    const [last, done] = (kept(keyOf("back"), "sessionStorage") || "0 0").split(" ").map(Number);
    const tries = Date.now() - last < 120_000 ? done : 0;
    const stored = keep(keyOf("back"), `${Date.now()} ${tries + 1}`, "sessionStorage");
    if (!stored) await pause(2);
    else if (tries) await pause(backOff(tries)); // the site is busy
    if (!(await room.token())) {
      leaving = false;
      return;
    }
    submitForm(`${config.openid}/authorize/continue`, { transaction, ...room.proof() });
  }

  async function checkOut() {
    resumed = true;
    const found = await room.token();
    if (!found) return;
    tokens = found;
    sessionLeft =
      found.expires_in > 0 ? countdown(Math.max(MIN_SESSION_CHECK, found.expires_in)) : null;
    page.stop();
    if (config.entrance && !resuming) postToken();
  }

  /**
   * Post the token to the site; browsers keep the fragment of the address first requested. The
   * entrance of a gate at the edge also needs the event, and the address to which the visitor returns.
   */
  function postToken() {
    leaving = true;
    const to = requested.get("to");
    const way = to === null && !page.isAtGate() ? {} : { event: config.event_id, to: to || "/" };
    submitForm(config.entrance + location.hash, { ...way, token: tokens.access_token });
  }

  /** After a reload, request the token of a visitor who had one: the session continues or is over. */
  async function resumeSession() {
    if (resumed || tokens || receipt || page.hasClient()) return;
    resumed = resuming = true;
    await checkOut().catch(() => showFailure("failed"));
    resuming = false;
    render();
  }

  /** The token has probably expired: check with the room. */
  function checkSession() {
    tokens = sessionLeft = null;
    resumed = false;
    page.start();
  }

  function onTurn() {
    if (page.hasClient()) returnToClient();
    if ((tokens && !leaving) || !$("alert").checked) return;
    more.chime();
    more.vibrate();
    if (document.hidden) more.notify(page.name(), words().turn_title, keyOf("turn"));
  }

  // --- the sample store

  async function purchase() {
    if (config.entrance) return postToken();
    const done = await buy(config.store_api, tokens.access_token, (tries) => pause(backOff(tries)));
    if (done.receipt) {
      receipt = done.receipt;
      const { request_id } = room.proof();
      keep(keyOf("receipt"), JSON.stringify({ request_id, receipt }), "sessionStorage");
      return writeReceipt();
    }
    if (done.refused) {
      tokens = sessionLeft = null; // expired: return to the turn, which finds the reason
      page.start();
    }
    showFailure("failed");
  }

  function writeReceipt() {
    if (receipt) showReceipt($("items"), receipt, words(), page.currency());
  }

  /** Show the receipt of this session, if it was shown in this tab before. */
  function findReceipt() {
    const { request_id } = room.proof();
    try {
      const stored = JSON.parse(kept(keyOf("receipt"), "sessionStorage"));
      if (!request_id || stored.request_id !== request_id) return;
      receipt = stored.receipt;
      writeReceipt();
    } catch (error) {
      receipt = null; // none, or of another position
    }
  }

  // --- the alert

  function writeAlertNote() {
    const allowed = more.permission();
    const note =
      !$("alert").checked || allowed === "granted" ? ""
      : !more.canSound() ? "alert_none"
      : allowed === "denied" ? "alert_denied"
      : "alert_sound";
    write($("alert-note"), note && words()[note]);
  }

  function setAlert(on) {
    $("alert").checked = on;
    more.stayAwake(on && !document.hidden);
    writeAlertNote();
  }

  async function chooseAlert(on) {
    setAlert(on);
    keep(keyOf("alert"), on ? "on" : null);
    if (!on) return;
    more.chime(); // as a preview for the visitor
    await more.ask();
    writeAlertNote();
  }

  async function copyReference() {
    const code = $("reference-code");
    if (!(await more.copy(code.textContent, code))) return;
    $("copy").textContent = words().copied;
    page.announce(words().copied);
    await pause(COPIED);
    $("copy").textContent = words().copy;
  }

  function onHidden() {
    if (document.hidden) hiddenAt = performance.now();
    else if (tokens && !receipt && hiddenAt !== null && performance.now() > hiddenAt + LONG_HIDDEN) checkSession();
    more.stayAwake($("alert").checked && !document.hidden);
    if (page.hasClient()) returnToClient();
  }

  // ignore the value that the browser restored; only the stored value and a touch are a choice
  if (page.touched) chooseAlert($("alert").checked);
  else setAlert(kept(keyOf("alert")) === "on");
  $("alert").addEventListener("change", ({ target }) => chooseAlert(target.checked));
  for (const touch of ["pointerdown", "keydown"])
    addEventListener(touch, () => $("alert").checked && more.unlock());
  $("copy").addEventListener("click", copyReference);
  document.addEventListener("visibilitychange", onHidden);
  addEventListener("pageshow", () => leaving && location.reload()); // the visitor came back

  return {
    checkOut,
    copyReference,
    purchase,
    onTurn,
    /** Section that this module shows instead of that of the state; undefined without one. */
    view: () => (receipt ? "receipt" : tokens && !leaving ? "inside" : resuming ? "loading" : undefined),
    /** Seconds left of the session; null without one. */
    left: () => (sessionLeft ? sessionLeft() : null),
    checkSession,
    /** Called with each state of the room. */
    follow({ phase, taken }) {
      if (phase !== "loading" && !receipt && !resumed) findReceipt();
      if (phase === "turn" && taken) resumeSession();
    },
    /** Write the texts again, in another language. */
    rewrite() {
      writeAlertNote();
      writeReceipt();
    },
  };
}
