// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  LANGUAGES, announcer, fill, formats, pickLanguage, titleOf, variables, waitText,
} from "../view.js";

const words = {};
for (const language in LANGUAGES) words[language] = (await import(`../words/${language}.js`)).default;
const { en } = words;
const form = formats("en");
const waiting = { phase: "waiting", number: 1284, ahead: 84, rate: 10, wait: { kind: "range", from: 7, to: 11 } };

for (const language in LANGUAGES)
  test(`every word of the page is there in ${LANGUAGES[language]}`, () => {
    const found = words[language];
    assert.deepEqual(Object.keys(found), Object.keys(en));
    for (const [key, text] of Object.entries(found)) {
      assert.equal(typeof text, typeof en[key], key);
      assert.ok(String(text).trim(), key);
      const places = (one) => String(one).match(/{\w+}/g);
      assert.deepEqual(places(text), places(en[key]), key);
      if (language !== "en" && !["total"].includes(key)) assert.notDeepEqual(text, en[key], key);
    }
  });

test("the language is the first of the visitor's that there is", () => {
  assert.equal(pickLanguage(["pt-BR", "ko-KR", "en"]), "ko");
  assert.equal(pickLanguage(["FR-ca"]), "fr");
  assert.equal(pickLanguage(["xx", "toString"]), "en");
  assert.equal(pickLanguage([undefined]), "en");
});

test("a wait is said as a range in the visitor's language", () => {
  const said = (wait, language = "en") =>
    waitText({ wait: { kind: "range", ...wait } }, words[language], formats(language));
  assert.equal(said({ from: 5, to: 15 }), "5–15 minutes");
  assert.equal(said({ kind: "soon" }), "Less than a minute");
  assert.equal(said({ kind: "long", from: 720 }), "More than 12 hours");
  assert.equal(said({ kind: "long", from: 720 }, "de"), "Mehr als 12 Stunden");
  assert.match(said({ from: 150, to: 270 }), /^2\.5\s?–\s?4\.5 hours$/);
  assert.match(said({ from: 5, to: 15 }, "de"), /^5–15 Minuten$/);
  assert.match(said({ from: 5, to: 15 }, "ko"), /5.*15.*분/);
});

test("a line that does not move is said not to move, and what is not known not to be known", () => {
  assert.equal(waitText({ wait: { kind: "paused" } }, en, form), en.stopped);
  assert.equal(waitText({ wait: { kind: "unknown" } }, en, form), en.wait_unknown);
  assert.equal(waitText({}, en, form), en.wait_unknown);
});

test("a countdown is read as a clock", () => {
  assert.equal(form.clock(0), "00:00");
  assert.equal(form.clock(59.2), "01:00");
  assert.equal(form.clock(899), "14:59");
  assert.equal(form.clock(3661), "1:01:01");
  assert.equal(form.clock(-5), "00:00");
});

test("money is written with the shop's currency, or without one", () => {
  assert.equal(form.money(5900, "EUR"), "€59.00");
  assert.equal(form.money(5900), "59.00");
});

test("the title shows the place, so that a tab far away tells it", () => {
  assert.equal(titleOf(waiting, en, form, "Lights"), "84 · Your place in line 1,284 – Lights");
  assert.match(titleOf({ phase: "turn" }, en, form, "Lights"), /It is your turn – Lights/);
  assert.match(titleOf({ phase: "over", reason: "reset" }, en, form, ""), /started again/);
});

test("a screen reader hears of each change that matters", () => {
  const say = announcer();
  assert.match(say({ phase: "placing" }, en, form), /Your number comes/);
  assert.match(say(waiting, en, form), /Your place in line: 1,284.*Ahead of you: 83.*7–11 minutes/);
  assert.equal(say(waiting, en, form), "");
  assert.match(say({ ...waiting, message: "Doors at 8" }, en, form), /organiser: Doors at 8/);
  assert.match(say({ ...waiting, wait: { kind: "paused" }, message: "Doors at 8" }, en, form), /Not moving/);
  const down = { ...waiting, wait: { kind: "paused" }, message: "Doors at 8", held: true, trouble: { kind: "busy" } };
  assert.equal(say(down, en, form), `${en.unreachable} ${en.safe}`);
  assert.equal(say(down, en, form), "");
  assert.equal(say({ ...down, trouble: null }, en, form), en.back);
  assert.equal(say({ phase: "turn" }, en, form), en.turn_title);
  assert.match(say({ phase: "over", reason: "expired" }, en, form), /Your turn has passed/);
});

test("a line of a thousand steps is told in a dozen sentences", () => {
  const say = announcer();
  let told = 0;
  for (let ahead = 1000; ahead > 0; ahead -= 1)
    if (say({ ...waiting, ahead, number: 1000 }, en, form)) told += 1;
  assert.ok(told >= 8 && told <= 12, String(told));
});

test("a brand's colours become variables; what is no colour does not", () => {
  const found = Object.fromEntries(
    variables({ accent: "#b00020", card: "red; x: url(//evil)", odd: "#ffffff", text: "#12", line: null }),
  );
  assert.deepEqual(found, { accent: "#b00020", "on-accent": "#fff" });
  assert.deepEqual(variables(undefined), []);
});

test("text on a brand's accent has a contrast of 4.5 or more, whatever the accent", () => {
  const channel = (hex) => {
    const part = parseInt(hex, 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  };
  const light = (hex) =>
    0.2126 * channel(hex.slice(1, 3)) + 0.7152 * channel(hex.slice(3, 5)) + 0.0722 * channel(hex.slice(5, 7));
  for (let step = 0; step < 4096; step += 7) {
    const accent = `#${[step >> 8, (step >> 4) & 15, step & 15].map((part) => part.toString(16).repeat(2)).join("")}`;
    const on = Object.fromEntries(variables({ accent }))["on-accent"];
    const [low, high] = [light(accent), on === "#fff" ? 1 : 0].sort((one, other) => one - other);
    assert.ok((high + 0.05) / (low + 0.05) >= 4.5, `${on} on ${accent}`);
  }
});

test("words are filled in, and nothing else is", () => {
  assert.equal(fill("Held for {time}", { time: "01:00" }), "Held for 01:00");
});
