// SPDX-License-Identifier: Apache-2.0
/* The module `cloudfront` of CloudFront Functions: `cf.kvs().get(key, { format })`. */
let items = {};

async function get(key, options) {
  if (!Object.prototype.hasOwnProperty.call(items, key)) throw new Error('KeyNotFound');
  return options && options.format === 'json' ? JSON.parse(items[key]) : items[key];
}

export default {
  kvs: () => ({ get }),
  fill: (found) => {
    items = found;
  },
};
