// SPDX-License-Identifier: Apache-2.0
/** A page in memory for tests of cards: each element exists as soon as a card asks for it. */

class FakeElement {
  constructor(id, card) {
    Object.assign(this, { id, textContent: '', value: '', hidden: false, dataset: {}, children: [], name: '' });
    this.card = card;
    this.attributes = new Map();
    this.listeners = {};
    this.classes = new Set();
    this.classList = { toggle: (name, on) => (on ? this.classes.add(name) : this.classes.delete(name)) };
  }

  setAttribute(name, value) { this.attributes.set(name, String(value)); }
  getAttribute(name) { return this.attributes.get(name) ?? null; }
  removeAttribute(name) { this.attributes.delete(name); }
  toggleAttribute(name, on) { if (on) this.attributes.set(name, ''); else this.attributes.delete(name); }
  addEventListener(name, call) { this.listeners[name] = call; }
  append(...nodes) { this.children.push(...nodes.filter((node) => node instanceof FakeElement)); }
  replaceChildren(...nodes) { this.children = []; this.append(...nodes); }
  closest(selector) { return selector === '.card' ? this.card ?? this : null; }
  contains() { return false; }
  focus() {}

  /** The input fields among the descendants, or the elements that a test gave for this selector. */
  querySelectorAll(selector) {
    if (this.found?.[selector]) return this.found[selector];
    const within = this.children.flatMap((child) => [child, ...child.querySelectorAll(selector)]);
    return within.filter((node) => node.tag === selector);
  }

  querySelector(selector) { return this.found?.[selector]?.[0] ?? null; }
}

/** Install a page with one card; returns `{card, result, byId, input}`, of which `input(node)` is an operator's input. */
export function fakePage() {
  const nodes = new Map();
  const listeners = {};
  const card = new FakeElement('card');
  const result = new FakeElement('result', card);
  card.found = { '.result': [result] };
  const byId = (id) => {
    if (!nodes.has(id)) nodes.set(id, new FakeElement(id, card));
    return nodes.get(id);
  };
  globalThis.document = {
    activeElement: null,
    getElementById: byId,
    createElement: (tag) => Object.assign(new FakeElement('', card), { tag }),
    addEventListener: (name, call) => { listeners[name] = call; },
    querySelectorAll: (selector) => (selector.startsWith('.result') ? [result] : []),
  };
  return { card, result, byId, input: (node) => listeners.input({ target: node }) };
}
