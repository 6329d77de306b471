// SPDX-License-Identifier: Apache-2.0
// Lints pairs of a file's path and its text, given as JSON; prints what is wrong with each, as JSON.
import { readFileSync } from "node:fs";
import { ESLint } from "eslint";

const eslint = new ESLint({
  cwd: process.argv[2],
  overrideConfigFile: new URL("eslint.config.js", import.meta.url).pathname,
});
const said = [];
for (const [filePath, text] of JSON.parse(readFileSync(0, "utf8"))) {
  const [{ messages }] = await eslint.lintText(text, { filePath });
  said.push(messages.map(({ line, ruleId, message }) => `${line}: ${ruleId}: ${message}`));
}
console.log(JSON.stringify(said));
