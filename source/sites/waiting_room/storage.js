// SPDX-License-Identifier: Apache-2.0
// Texts that the page stores; storage may be missing or throw. No function throws.

/** Storage of `browser`, a window. */
export function storage(browser = window) {
  return {
    /** Read a stored text; null if missing or storage is unavailable. */
    kept(key, where = "localStorage") {
      try {
        return browser[where].getItem(key) || null;
      } catch (error) {
        return null;
      }
    },
    /** Store a text, or delete it with null; returns whether that succeeded. */
    keep(key, text, where = "localStorage") {
      try {
        if (text === null) browser[where].removeItem(key);
        else browser[where].setItem(key, text);
        return true;
      } catch (error) {
        return false;
      }
    },
  };
}
