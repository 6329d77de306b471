// SPDX-License-Identifier: Apache-2.0
// Optional browser features that may be missing or rejected. No function throws or must be awaited.

function attempt(work, otherwise) {
  try {
    return work();
  } catch (error) {
    return otherwise;
  }
}

/** Resolve to `otherwise` if the promise rejects. */
const settled = (work, otherwise) =>
  Promise.resolve()
    .then(work)
    .catch(() => otherwise);

/** Create the optional features of `browser`, a window. */
export function extras(browser = window) {
  let audio = null;
  let awake = null;
  const permission = () =>
    attempt(() => (browser.Notification ? browser.Notification.permission : "none"), "none");

  /** Audio context, running if the browser allows it; null if missing. */
  function sounds() {
    return attempt(() => {
      const Kind = browser.AudioContext || browser.webkitAudioContext;
      audio = audio || new Kind();
      if (audio.state !== "running") settled(() => audio.resume());
      return audio;
    }, null);
  }

  return {
    permission,
    canSound: () => attempt(() => Boolean(browser.AudioContext || browser.webkitAudioContext), false),
    /** Enable sounds; browsers require an action of the visitor first. */
    unlock: () => void sounds(),
    /** Play three notes; returns whether audio is available. */
    chime() {
      const to = sounds();
      return attempt(() => {
        [523, 659, 784].forEach((pitch, step) => {
          const at = to.currentTime + step / 5;
          const note = to.createOscillator();
          const gain = to.createGain();
          note.frequency.value = pitch;
          gain.gain.setValueAtTime(0.2, at);
          gain.gain.exponentialRampToValueAtTime(0.001, at + 0.6);
          note.connect(gain);
          gain.connect(to.destination);
          note.start(at);
          note.stop(at + 0.6);
        });
        return true;
      }, false);
    },
    /** Request permission for notifications; resolves to granted, denied, default or none. */
    ask: () =>
      settled(
        () =>
          new Promise((done) => {
            const asked = browser.Notification.requestPermission(done); // Safari 14: no promise
            if (asked) asked.then(done, () => done(permission()));
          }),
        permission(),
      ),
    /** Show a notification; returns whether it was accepted. Some phones allow installed pages only. */
    notify: (title, body, tag) =>
      permission() === "granted" &&
      attempt(() => Boolean(new browser.Notification(title, { body, tag })), false),
    vibrate: () => attempt(() => browser.navigator.vibrate([300, 150, 300]), false),
    /** Keep the screen on while the page is visible, or stop doing so. */
    stayAwake(on) {
      const before = awake;
      awake = null;
      if (before) settled(() => before.then((lock) => lock && lock.release()));
      if (on) awake = settled(() => browser.navigator.wakeLock.request("screen"), null);
    },
    /** Copy a text; resolves to whether that succeeded. `part` shows the text, for older browsers. */
    copy: (text, part) =>
      settled(() => browser.navigator.clipboard.writeText(text).then(() => true), false).then(
        (done) =>
          done ||
          attempt(() => {
            browser.getSelection().selectAllChildren(part);
            return browser.document.execCommand("copy");
          }, false),
      ),
  };
}
