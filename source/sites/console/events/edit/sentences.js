// SPDX-License-Identifier: Apache-2.0
/** Sentences of the API in the words of the form: labels instead of members. */

const ANYWHERE = /[._]|^(protect|bypass)$/; // other names of one word are also words of a sentence

/** Return the field that a sentence of the API names at its beginning, or the first inside it; or null. */
export function fieldNamed(fields, sentence) {
  const [, path, part] = /^([\w.]*)(?::\s(\w+))?/.exec(sentence); // "page.brand.colors: text #dddddd on card"
  const within = fields.find((one) => part && one.path === `${path}.${part}`);
  if (within) return within;
  const matching = fields.filter((one) => path === one.path || path.startsWith(`${one.path}.`));
  const inside = fields.find((one) => path !== '' && one.path.startsWith(`${path}.`));
  return matching.sort((one, other) => other.path.length - one.path.length)[0] ?? inside ?? null;
}

/** Return the paths of the fields whose change can correct what a sentence says. */
export function pathsOf(fields, sentence) {
  const named = fieldNamed(fields, sentence);
  return fields.map(({ path }) => path).filter((path) => (
    path === named?.path || pattern(path).test(sentence) || (named && parentOf(path).includes('.') && parentOf(path) === parentOf(named.path))));
}

/** Return a sentence with the labels of the fields instead of their paths. */
export function labelled(fields, sentence) {
  const longest = [...fields].sort((one, other) => other.path.length - one.path.length);
  const words = longest.reduce((text, { path, label }) => text.replace(pattern(path),
    (_all, more) => `“${label}”${partsOf(more)}`), sentence);
  const text = words[0] === '“' ? words : `${words.slice(0, 1).toUpperCase()}${words.slice(1)}`;
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

/** The path at the beginning, or anywhere if it is no usual word; with entries and members of its value. */
function pattern(path) {
  const name = path.replaceAll('.', '\\.');
  const start = ANYWHERE.test(path) ? '(?<![\\w.“])' : '^';
  return new RegExp(`${start}${name}(?!\\w)((?:\\[\\d+\\]|\\.[\\w*-]+)*)`, ANYWHERE.test(path) ? 'g' : '');
}

function partsOf(more) {
  return more.replace(/\[(\d+)\]/g, (_all, index) => `, entry ${Number(index) + 1}`).replace(/\./, ', ');
}

function parentOf(path) {
  return path.slice(0, Math.max(0, path.lastIndexOf('.')));
}
