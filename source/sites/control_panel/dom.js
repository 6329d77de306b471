// SPDX-License-Identifier: Apache-2.0
/** The few things the panel does to the page. Texts go in as texts, never as markup. */

/** The element with this id. */
export function byId(id) {
  return document.getElementById(id);
}

/** A new element with attributes and children; texts become text nodes. */
export function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) node.setAttribute(name, '');
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

/** Set a text, touching the page only when it changed. */
export function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Mark a field as wrong, or as right again. */
export function markWrong(input, wrong) {
  if (wrong) input.setAttribute('aria-invalid', 'true');
  else input.removeAttribute('aria-invalid');
}

/** Say something once to those who listen; the page shows it elsewhere. */
export function announce(text) {
  byId('announce').textContent = text;
}

/** Hand a text over as a file. */
export function download(name, text) {
  // the mark at the start tells spreadsheets that this is UTF-8
  const url = URL.createObjectURL(new Blob(['\ufeff', text], { type: 'text/csv;charset=utf-8' }));
  make('a', { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
