// SPDX-License-Identifier: Apache-2.0
/** Filter for repeated input: key repeat and double clicks do not trigger a second action. */

export const COOLDOWN = 600; // milliseconds for which the buttons of a card stay disabled after a press

/** Return whether a key event is a key repeat that would press a button. */
export function isHeldKey({ repeat, key, target }) {
  return Boolean(repeat) && key === 'Enter' && target?.tagName !== 'TEXTAREA';
}

/**
 * Return whether a click must be ignored: the second click of a double click, or a click on a disabled
 * button (`aria-disabled`). `detail` is 0 for a key or a screen reader.
 */
export function isRepeatedClick({ detail, target }) {
  const button = target?.closest?.('button');
  if (!button) return false;
  if (button.getAttribute('aria-disabled') === 'true') return true;
  return detail > 1 && Boolean(button.closest('[data-once]'));
}

/** Stop repeated input before any other listener. */
export function blockRepeatedInput(root) {
  const stop = (isRepeated) => (event) => {
    if (!isRepeated(event)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
  };
  root.addEventListener('keydown', stop(isHeldKey), true);
  root.addEventListener('click', stop(isRepeatedClick), true);
}
