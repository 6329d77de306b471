// SPDX-License-Identifier: Apache-2.0
/**
 * The way of the provider's answer to the console. A window that the console opened hands it over by
 * a channel: with `Cross-Origin-Opener-Policy: same-origin`, neither window can reach the other. If
 * the browser blocks the window, the page itself goes to the provider and returns; only then the
 * browser stores what the page needs afterwards, until the page reads it.
 */

const CHANNEL = 'waiting-room-console';
const STORED = 'sign-in';

/** Return the answer in an address, as a text of parameters. */
export function answerOf(location) {
  return location.search.slice(1);
}

/** Tell all pages of the console the answer; the one that waits for its `state` takes it. */
export function announceAnswer(answer) {
  send({ kind: 'answer', answer });
}

/** Tell all other pages that an operator has signed out. */
export function announceSignOut({ issuer, subject }) {
  send({ kind: 'signed-out', issuer, subject });
}

/** Listen to other pages: `answered(answer)` and `signedOut({issuer, subject})`. */
export function listen({ answered, signedOut }) {
  const channel = new BroadcastChannel(CHANNEL);
  channel.addEventListener('message', ({ data }) => {
    if (data?.kind === 'answer' && typeof data.answer === 'string') answered(data.answer);
    if (data?.kind === 'signed-out') signedOut(data);
  });
}

/** Store what the page needs when it returns from the provider. */
export function store(storage, begun) {
  storage.setItem(STORED, JSON.stringify(begun));
}

/** Add the answer to what the page stored; false if it stored nothing for this `state`. */
export function handOver(storage, answer) {
  const begun = parsed(storage.getItem(STORED));
  if (!begun || new URLSearchParams(answer).get('state') !== begun.state) return false;
  storage.setItem(STORED, JSON.stringify({ ...begun, answer }));
  return true;
}

/** Return what was stored, and delete it; null without an answer. */
export function take(storage) {
  const begun = parsed(storage.getItem(STORED));
  storage.removeItem(STORED);
  return typeof begun?.answer === 'string' ? begun : null;
}

function send(message) {
  const channel = new BroadcastChannel(CHANNEL);
  channel.postMessage(message);
  channel.close();
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
