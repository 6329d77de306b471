// SPDX-License-Identifier: Apache-2.0
/** Differences between documents, and the union of two operators' changes. */

/** Return the member of a document at a path such as `schedule.opens_at`. */
export function at(document, path) {
  return path.split('.').reduce((value, name) => value?.[name], document);
}

/** Return a document with another value at a path. */
export function withValue(document, path, value) {
  const [name, ...rest] = path.split('.');
  const next = rest.length ? withValue(document?.[name] ?? {}, rest.join('.'), value) : value;
  return { ...document, [name]: next };
}

/** Return the fields that differ: `{field, before, after}`. */
export function changesOf(fields, before, after) {
  return fields
    .map((field) => ({ field, before: at(before, field.path), after: at(after, field.path) }))
    .filter((change) => !same(change.before, change.after));
}

/**
 * Compare two documents that both began as `base`: rows `{field, base, theirs, mine, conflict}` of the
 * fields that one of them changed. `conflict`: both did, to different values.
 */
export function compared(fields, base, mine, theirs) {
  return fields
    .map((field) => ({ field, base: at(base, field.path), mine: at(mine, field.path), theirs: at(theirs, field.path) }))
    .map((row) => ({ ...row, isMine: !same(row.base, row.mine), isTheirs: !same(row.base, row.theirs) }))
    .filter((row) => row.isMine || row.isTheirs)
    .map((row) => ({ ...row, conflict: row.isMine && row.isTheirs && !same(row.mine, row.theirs) }));
}

/** Return their document with my changes; `all` includes those that are in conflict with theirs. */
export function merged(rows, theirs, { all }) {
  return rows
    .filter((row) => row.isMine && (all || !row.conflict))
    .reduce((document, row) => withValue(document, row.field.path, row.mine), theirs);
}

/** Return whether two JSON values are equal, in any order of members. */
export function same(one, other) {
  return JSON.stringify(sorted(one)) === JSON.stringify(sorted(other));
}

function sorted(value) {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== 'object') return value ?? null;
  return Object.fromEntries(Object.keys(value).sort().map((name) => [name, sorted(value[name])]));
}
