// SPDX-License-Identifier: Apache-2.0
/** One press, one action: what a browser or a finger repeats by itself is no second press. */

export const REST = 600; // milliseconds that the buttons of a card rest after a press

/** Whether a key event is the repetition of a key that is held down, and would press something. */
export function isHeldKey({ repeat, key, target }) {
  return Boolean(repeat) && key === 'Enter' && target?.tagName !== 'TEXTAREA';
}

/**
 * Whether a click is no press of its own: the second one of a double click, or one on a button that
 * waits (`aria-disabled`). `detail` is 0 for a key or a screen reader.
 */
export function isRepeatedClick({ detail, target }) {
  const button = target?.closest?.('button');
  if (!button) return false;
  if (button.getAttribute('aria-disabled') === 'true') return true;
  return detail > 1 && Boolean(button.closest('[data-once]'));
}

/** Stop repetitions before anything hears of them. */
export function stopRepetitions(root) {
  const stop = (isOne) => (event) => {
    if (!isOne(event)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
  };
  root.addEventListener('keydown', stop(isHeldKey), true);
  root.addEventListener('click', stop(isRepeatedClick), true);
}
