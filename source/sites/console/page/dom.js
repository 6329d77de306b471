// SPDX-License-Identifier: Apache-2.0
/** DOM helpers. Texts are inserted as text nodes, never as markup. */

/** Return the element with this id. */
export function byId(id) {
  return document.getElementById(id);
}

/** Create an element with attributes and children; strings become text nodes. */
export function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) node.setAttribute(name, '');
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

/** Set a text; changes the document only if the text differs. */
export function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Mark a field as invalid or valid. */
export function markWrong(input, wrong) {
  if (wrong) input.setAttribute('aria-invalid', 'true');
  else input.removeAttribute('aria-invalid');
}

/** Announce a text to screen readers. */
export function announce(text) {
  byId('announce').textContent = text;
}

/** Download a text as a file. */
export function download(name, text) {
  // the byte order mark marks the file as UTF-8 for spreadsheets
  const url = URL.createObjectURL(new Blob(['\ufeff', text], { type: 'text/csv;charset=utf-8' }));
  make('a', { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
