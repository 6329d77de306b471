// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import test from 'node:test';
import { isHeldKey, isRepeatedClick } from '../page/repeated-input.js';

/** A button as far as the rules look at it. */
function button({ waits = false, once = true } = {}) {
  const made = {
    getAttribute: () => (waits ? 'true' : null),
    closest: (selector) => (selector === 'button' || (selector === '[data-once]' && once) ? made : null),
  };
  return made;
}

test('a key that is held down triggers once', () => {
  const target = { tagName: 'BUTTON' };
  assert.equal(isHeldKey({ key: 'Enter', repeat: false, target }), false);
  assert.equal(isHeldKey({ key: 'Enter', repeat: true, target }), true);
  assert.equal(isHeldKey({ key: 'Enter', repeat: true, target: { tagName: 'INPUT' } }), true);
  assert.equal(isHeldKey({ key: 'Enter', repeat: true, target: { tagName: 'TEXTAREA' } }), false);
  assert.equal(isHeldKey({ key: 'ArrowDown', repeat: true, target }), false);
});

test('the second click of a double click is ignored where a press changes something', () => {
  assert.equal(isRepeatedClick({ detail: 1, target: button() }), false);
  assert.equal(isRepeatedClick({ detail: 0, target: button() }), false); // a key or a screen reader
  assert.equal(isRepeatedClick({ detail: 2, target: button() }), true);
  assert.equal(isRepeatedClick({ detail: 3, target: button() }), true);
  assert.equal(isRepeatedClick({ detail: 2, target: button({ once: false }) }), false);
});

test('a disabled button cannot be pressed, and other elements are not affected', () => {
  assert.equal(isRepeatedClick({ detail: 0, target: button({ waits: true, once: false }) }), true);
  assert.equal(isRepeatedClick({ detail: 2, target: { closest: () => null } }), false);
  assert.equal(isRepeatedClick({ detail: 2, target: {} }), false);
});
