// SPDX-License-Identifier: Apache-2.0
// The oldest browsers that the waiting page is written for; docs/pages.md names them.
import compat from "eslint-plugin-compat";
import esx from "eslint-plugin-es-x";

const browsers = ["chrome 87", "edge 87", "firefox 78", "safari 14", "ios_saf 14"];
const named = Object.entries({
  ...esx.configs["flat/restrict-to-es2020"].rules,
  ...esx.configs["flat/restrict-to-es2020-intl-api"].rules,
});
// an array's methods have the names of an iterator's; all of these browsers know 1_000
const known = ([name]) => /iterator-prototype|numeric-separators/.test(name);
const unknown = { linterOptions: { reportUnusedDisableDirectives: "error" } };

export default [
  unknown,
  {
    files: ["**/waiting_room/*.js"],
    ignores: ["**/start.js"],
    plugins: { compat, "es-x": esx },
    languageOptions: { ecmaVersion: 2021, sourceType: "module" },
    // looked for before they are used
    settings: { browsers, polyfills: ["navigator.locks"], "es-x": { aggressive: true } },
    rules: {
      ...Object.fromEntries(named.filter((rule) => !known(rule))),
      "compat/compat": "error",
    },
  },
  {
    files: ["**/waiting_room/start.js"],
    plugins: { "es-x": esx },
    languageOptions: { ecmaVersion: 5, sourceType: "script" },
    settings: { "es-x": { aggressive: true } },
    rules: esx.configs["flat/restrict-to-es5"].rules,
  },
];
