// SPDX-License-Identifier: Apache-2.0
// Drives Firefox by WebDriver BiDi for tests/support/pages/firefox.py: one command in JSON on each line of the
// standard input, one result on each line of the standard output.
import { createInterface } from 'node:readline';
import puppeteer from 'puppeteer-core';

const TIMEOUT = 20_000; // ms
const [executablePath, locale] = process.argv.slice(2);
const browser = await puppeteer.launch({
  browser: 'firefox', executablePath, headless: true,
  extraPrefsFirefox: { 'intl.accept_languages': locale, 'network.captive-portal-service.enabled': false },
});
const page = await browser.newPage();
const errors = [];
page.on('pageerror', (error) => errors.push(String(error)));

const COMMANDS = {
  goto: ({ url }) => page.goto(url, { waitUntil: 'load', timeout: TIMEOUT }).then(() => null),
  reload: () => page.reload({ waitUntil: 'load', timeout: TIMEOUT }).then(() => null),
  click: async ({ selector }) => {
    await page.waitForSelector(selector, { visible: true, timeout: TIMEOUT });
    await page.locator(selector).setTimeout(TIMEOUT).click();
    return null;
  },
  select: ({ selector, value }) => page.select(selector, value),
  /** Wait until a visible element contains a text, and return its text. */
  text: async ({ selector, contains }) => {
    await page.waitForFunction(
      (one, part) => [...document.querySelectorAll(one)].some((found) => found.checkVisibility() && found.textContent.includes(part)),
      { timeout: TIMEOUT }, selector, contains ?? '',
    );
    return page.$eval(selector, (one) => one.textContent);
  },
  evaluate: ({ script }) => page.evaluate(script),
  viewport: ({ width, height }) => page.setViewport({ width, height }),
  errors: () => errors,
};

console.log(JSON.stringify({ result: await browser.version() }));
for await (const line of createInterface({ input: process.stdin })) {
  const { command, ...given } = JSON.parse(line);
  try {
    console.log(JSON.stringify({ result: (await COMMANDS[command](given)) ?? null }));
  } catch (error) {
    const shown = await page.evaluate(() => document.body.innerText.slice(0, 400)).catch(() => '');
    console.log(JSON.stringify({ error: `${error.message}\nThe page shows: ${shown}` }));
  }
}
await browser.close();
