// SPDX-License-Identifier: Apache-2.0
// What a browser may have or not, or have and refuse. Nothing here throws or has to be waited for.

function attempt(work, otherwise) {
  try {
    return work();
  } catch (error) {
    return otherwise;
  }
}

/** Ends with `otherwise` where the promise fails. */
const settled = (work, otherwise) =>
  Promise.resolve()
    .then(work)
    .catch(() => otherwise);

/** The extras of `browser`, a window. */
export function extras(browser = window) {
  let audio = null;
  let awake = null;
  const permission = () =>
    attempt(() => (browser.Notification ? browser.Notification.permission : "none"), "none");

  /** The context for sounds, running if the browser lets it; null where there is none. */
  function sounds() {
    return attempt(() => {
      const Kind = browser.AudioContext || browser.webkitAudioContext;
      audio = audio || new Kind();
      if (audio.state !== "running") settled(() => audio.resume());
      return audio;
    }, null);
  }

  return {
    /** What is kept under a name; null where nothing is, or nothing can be. */
    kept: (key, where = "localStorage") => attempt(() => browser[where].getItem(key), null) || null,
    /** Keep a text, or forget it with null; whether that was possible. */
    keep: (key, text, where = "localStorage") =>
      attempt(() => {
        if (text === null) browser[where].removeItem(key);
        else browser[where].setItem(key, text);
        return true;
      }, false),
    permission,
    canSound: () => attempt(() => Boolean(browser.AudioContext || browser.webkitAudioContext), false),
    /** Make sounds possible; browsers ask for a visitor's action first. */
    unlock: () => void sounds(),
    /** Three notes; whether there is something to play them. */
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
    /** Ask whether notifications are allowed; resolves with granted, denied, default or none. */
    ask: () =>
      settled(
        () =>
          new Promise((done) => {
            const asked = browser.Notification.requestPermission(done); // Safari 14: no promise
            if (asked) asked.then(done, () => done(permission()));
          }),
        permission(),
      ),
    /** Show a notification; whether the browser took it. Some phones allow installed pages only. */
    notify: (title, body, tag) =>
      permission() === "granted" &&
      attempt(() => Boolean(new browser.Notification(title, { body, tag })), false),
    vibrate: () => attempt(() => browser.navigator.vibrate([300, 150, 300]), false),
    /** Keep the screen on while the page is seen, or no longer. */
    stayAwake(on) {
      const before = awake;
      awake = null;
      if (before) settled(() => before.then((lock) => lock && lock.release()));
      if (on) awake = settled(() => browser.navigator.wakeLock.request("screen"), null);
    },
    /** Copy a text; resolves with whether it was. `part` shows the text, for old ways of copying. */
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
