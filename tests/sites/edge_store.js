// SPDX-License-Identifier: Apache-2.0
/* The module `cloudfront` with a store in memory; it counts reads, and can fail. */
let items = {};
let count = 0;

function get(key, options) {
  count += 1;
  if (!Object.prototype.hasOwnProperty.call(items, key)) return Promise.reject(new Error('KeyNotFound'));
  return Promise.resolve(options.format === 'json' ? JSON.parse(items[key]) : items[key]);
}

function fill(found) {
  items = found;
  count = 0;
}

export default { kvs: () => ({ get: get }), fill: fill, reads: () => count };
