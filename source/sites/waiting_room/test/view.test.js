// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import {
  aheadText, announcer, contrast, fill, formats, pickLanguage, reference, titleOf,
  troubleText, variables, waitText, mergeTexts,
} from "../view.js";
import { moneyOf } from "../shop.js";

const FOLDER = new URL("../words/", import.meta.url);
const words = {};
for (const file of readdirSync(FOLDER)) words[file.split(".")[0]] = JSON.parse(readFileSync(new URL(file, FOLDER), "utf8"));
const LANGUAGES = Object.keys(words);
const { en } = words;
const form = formats("en");
const waiting = { phase: "waiting", number: 1284, ahead: 84, rate: 10, wait: { kind: "range", from: 7, to: 11 } };
const NOW = 1_800_000_000_000;
const PAGE = readFileSync(new URL("../index.html", import.meta.url), "utf8");
const SCRIPT = readFileSync(new URL("../page.js", import.meta.url), "utf8");
const texts = (one) => (typeof one === "string" ? [one] : Object.values(one));

for (const language of LANGUAGES)
  test(`every word of the page is there in ${language}`, () => {
    const found = words[language];
    assert.deepEqual(Object.keys(found), Object.keys(en));
    assert.equal(found.tag.split("-")[0], language);
    assert.equal(Intl.getCanonicalLocales(found.tag)[0], found.tag);
    const placeholders = (one) => [...new Set(texts(one).join(" ").match(/{\w+}/g) || [])].sort();
    for (const [key, text] of Object.entries(found)) {
      assert.equal(typeof text, typeof en[key], key);
      assert.equal(Array.isArray(text), Array.isArray(en[key]), key);
      for (const one of texts(text)) assert.ok(one.trim() === one && one, key);
      assert.deepEqual(placeholders(text), placeholders(en[key]), key);
      if (language !== "en" && !["dir", "total", "range", "minutes"].includes(key)) assert.notDeepEqual(text, en[key], key);
    }
    for (const unit of ["minutes", "hours"]) {
      const { other, one = other } = found[unit];
      assert.ok(other && one, unit);
      const kinds = new Intl.PluralRules(language).resolvedOptions().pluralCategories;
      assert.equal("one" in found[unit], kinds.includes("one"), unit);
    }
  });

test("each language has one term per concept and addresses visitors formally", () => {
  const never = {
    en: /anew|place in line:|\bserved\b/i,
    ko: /줄|대기실/,
    es: /caja|justo|\btú\b|\btu\b/i,
    de: /(?<!Warte)schlange|\bdu\b|\bdein/i,
    fr: /équitable|recommencé|\btu\b|(?<!\u00a0)[:;!?]/i,
    ja: /待合室|あなた/,
    pt: /\btu\b|\bteu|\btua/i,
    it: /\btu\b|\btuo|\btua|fila/i,
    zh: /你|队列|队伍/,
    ar: /طابور/,
  };
  for (const language of LANGUAGES)
    for (const [key, text] of Object.entries(words[language]))
      for (const one of texts(text)) {
        assert.doesNotMatch(one, never[language], `${language} ${key}`);
        assert.doesNotMatch(one, /\.\.\.|'| {2}/, `${language} ${key}`);
      }
});

test("a language is one file: no other file names one", () => {
  const start = readFileSync(new URL("../start.js", import.meta.url), "utf8");
  for (const code of [PAGE, SCRIPT, start])
    for (const one of LANGUAGES.filter((one) => one !== "en"))
      assert.doesNotMatch(code, new RegExp(`["'/]${one}["'./]`), one);
});

test("every text is used, and no unknown text is requested", () => {
  const start = readFileSync(new URL("../start.js", import.meta.url), "utf8");
  const missing = readFileSync(new URL("../404.html", import.meta.url), "utf8");
  const named = [...PAGE.matchAll(/data-word="(\w+)"/g)].map(([, word]) => word);
  const each = [...(PAGE + missing).matchAll(/each language: .*/g)].join();
  const inHtml = each.match(/(?<={)\w+/g);
  for (const word of named) assert.ok(word in en, word);
  const code = SCRIPT + start + readFileSync(new URL("../view.js", import.meta.url), "utf8");
  const usedWords = [...code.matchAll(/words\.(\w+)/g)].map(([, word]) => word);
  for (const word of usedWords) assert.ok(word in en, word);
  const states = ["expired", "session_expired", "reset", "ended", "refused", "offline", "busy", "failed"];
  const ofModule = (name) => readFileSync(new URL(`../${name}.js`, import.meta.url), "utf8");
  const later = ["visit", "shop", "responses", "event"].map(ofModule).join();
  const byName = [...later.matchAll(/"(\w+)"|words\(\)\.(\w+)|words\.(\w+)/g)].map(([, one, other, third]) => one || other || third);
  const used = new Set([...named, ...inHtml, ...usedWords, ...states, ...byName, "placing", "loading", "portal", "note_form", "note_address", "to_site"]);
  assert.deepEqual(Object.keys(en).filter((word) => !used.has(word)), []);
});

test("the language is the first supported one of the visitor", () => {
  assert.equal(pickLanguage(["xh-ZA", "ko-KR", "en"], LANGUAGES), "ko");
  assert.equal(pickLanguage(["FR-ca"], LANGUAGES), "fr");
  assert.equal(pickLanguage(["xx", "toString"], LANGUAGES), "en");
  assert.equal(pickLanguage([undefined], LANGUAGES), "en");
});

test("a wait is a range in the visitor's language", () => {
  const said = (wait, language = "en") =>
    waitText({ wait: { kind: "range", ...wait } }, words[language], formats(language));
  assert.equal(said({ from: 5, to: 15 }), "5–15 minutes");
  assert.equal(said({ kind: "soon" }), "Less than a minute");
  assert.equal(said({ from: 150, to: 270 }), "2.5–4.5 hours");
  assert.equal(said({ from: 60, to: 91 }), "1–1.5 hours");
  assert.equal(said({ from: 60, to: 91 }, "fr"), "1–1,5 heure");
  assert.equal(said({ from: 60, to: 91 }, "de"), "1–1,5 Stunden");
  assert.equal(said({ from: 5, to: 15 }, "ja"), "5～15分");
  assert.match(said({ from: 5, to: 15 }, "de"), /^5–15 Minuten$/);
  assert.match(said({ from: 5, to: 15 }, "ko"), /5.*15.*분/);
});

test("a stopped queue and an unknown wait have their own texts", () => {
  assert.equal(waitText({ wait: { kind: "paused" } }, en, form), en.stopped);
  assert.equal(waitText({ wait: { kind: "unknown" } }, en, form), en.wait_unknown);
  assert.equal(waitText({}, en, form), en.wait_unknown);
});

test("no text of a wait is longer than a line", () => {
  for (const language of LANGUAGES) {
    const said = (wait) => waitText({ wait }, words[language], formats(language));
    for (const from of [1, 90, 700, 719.5]) {
      const text = said({ kind: "range", from, to: Math.min(1440, from * 2) });
      assert.ok(text.length <= 20, text);
    }
    assert.ok(said({ kind: "long", from: 720 }).includes("12"));
    assert.ok(said({ kind: "long", from: 720 }).length <= 24);
  }
  assert.equal(waitText({ wait: { kind: "long", from: 720 } }, en, form), "More than 12 hours");
});

test("a visitor with nobody ahead is next", () => {
  assert.deepEqual(aheadText(84, en, form), ["People ahead of you", "83"]);
  assert.deepEqual(aheadText(1, en, form), ["You are next", ""]);
  assert.deepEqual(aheadText(0, en, form), ["You are next", ""]);
});

test("a reference is the number and four digits of the request id's CRC-32", () => {
  const id = "0A1b2c3d-0000-4000-8000-00000000abCD";
  const check = crc32(id.toLowerCase()).toString(16).padStart(8, "0").toUpperCase();
  assert.equal(reference(id, 1234), `1234-${check.slice(4)}`);
  assert.equal(reference(id.toUpperCase(), undefined), `${check.slice(0, 4)}-${check.slice(4)}`);
  assert.equal(reference("123456789", 7), "7-3926"); // the check value of this CRC is cbf43926
  for (let at = 0; at < 200; at += 1) assert.match(reference(String(at), at || undefined), /^(\d+|[\dA-F]{4})-[\dA-F]{4}$/);
});

test("a busy room has its own text, with the time of the next attempt, in every language", () => {
  for (const language of LANGUAGES)
    for (const kind of ["busy", "offline", "unreachable", "something new"]) {
      const own = words[language];
      const trouble = { kind, retryAt: NOW + 119_500 };
      const said = troubleText({ trouble, held: true }, own, formats(language), NOW);
      assert.ok(said.startsWith(own[kind] || own.unreachable), said);
      assert.ok(said.includes("2:00"), said);
      assert.ok(said.endsWith(own.safe), said);
    }
  assert.equal(troubleText({ trouble: { kind: "busy", retryAt: NOW } }, en, form, NOW), en.busy);
  assert.equal(troubleText({ trouble: { kind: "busy" } }, en, form, NOW), en.busy);
  assert.equal(troubleText({ trouble: null }, en, form, NOW), "");
});

test("a countdown is read as a clock", () => {
  assert.equal(form.clock(0), "0:00");
  assert.equal(form.clock(59.2), "1:00");
  assert.equal(form.clock(899), "14:59");
  assert.equal(form.clock(3661), "1:01:01");
  assert.equal(form.clock(-5), "0:00");
});

test("an amount has the shop's currency, or none", () => {
  assert.equal(moneyOf("en", "EUR")(5900), "€59.00");
  assert.equal(moneyOf("en")(5900), "59.00");
});

test("the title shows the position, also in a background tab", () => {
  assert.equal(titleOf(waiting, en, form, "Lights"), "83 · People ahead of you – Lights");
  assert.equal(titleOf({ ...waiting, ahead: 1 }, en, form, "Lights"), "You are next – Lights");
  assert.match(titleOf({ phase: "turn" }, en, form, "Lights"), /It is your turn – Lights/);
  assert.match(titleOf({ phase: "over", reason: "reset" }, en, form, ""), /restarted – Waiting room/);
  for (const phase of ["loading", "outside", "placing", "inside", "receipt", "over", "turn"])
    for (const language of LANGUAGES) {
      const said = titleOf({ phase, reason: "new" }, words[language], formats(language), undefined);
      assert.ok(said.endsWith(words[language].title) && !/undefined|^…/.test(said), said);
    }
});

test("each relevant change is announced to screen readers in the texts of the screen", () => {
  const say = announcer();
  assert.match(say({ phase: "placing" }, en, form, NOW), /your number in a few seconds/);
  assert.equal(
    say(waiting, en, form, NOW),
    "People ahead of you: 83. Estimated wait: 7–11 minutes. Your number: 1,284.",
  );
  assert.equal(say(waiting, en, form, NOW), "");
  assert.match(say({ ...waiting, message: "Doors at 8" }, en, form, NOW), /organiser: Doors at 8/);
  const stopped = { ...waiting, wait: { kind: "paused" }, message: "Doors at 8" };
  assert.ok(say(stopped, en, form, NOW).includes(waitText(stopped, en, form)));
  const down = { ...stopped, held: true, trouble: { kind: "busy", retryAt: NOW + 5000 } };
  assert.equal(say(down, en, form, NOW), troubleText(down, en, form, NOW));
  assert.equal(say(down, en, form, NOW), "");
  assert.equal(say({ ...down, trouble: null }, en, form, NOW), en.back);
  assert.equal(say({ phase: "turn" }, en, form, NOW), en.turn_title);
  assert.equal(say({ phase: "inside" }, en, form, NOW), en.inside_title);
  assert.match(say({ phase: "over", reason: "expired" }, en, form, NOW), /Your turn has passed/);
});

test("a queue of a thousand moves gives a dozen announcements", () => {
  const say = announcer();
  let announcements = 0;
  for (let ahead = 1000; ahead > 0; ahead -= 1)
    if (say({ ...waiting, ahead, number: 1000 }, en, form, NOW)) announcements += 1;
  assert.ok(announcements >= 8 && announcements <= 12, String(announcements));
});

test("a brand's colours become variables; invalid colours do not", () => {
  const found = Object.fromEntries(
    variables({ accent: "#b00020", card: "red; x: url(//evil)", odd: "#ffffff", text: "#12", line: null }),
  );
  assert.deepEqual(found, { accent: "#b00020", "on-accent": "#fff" });
  assert.deepEqual(variables(undefined), []);
});

test("text on a brand's accent has a contrast of 4.5 or more, whatever the accent", () => {
  for (let step = 0; step < 4096; step += 7) {
    const accent = `#${[step >> 8, (step >> 4) & 15, step & 15].map((part) => part.toString(16).repeat(2)).join("")}`;
    const on = Object.fromEntries(variables({ accent }))["on-accent"];
    assert.ok(contrast(accent, on === "#fff" ? "#ffffff" : "#000000") >= 4.5, `${on} on ${accent}`);
  }
  assert.equal(contrast("#000000", "#ffffff"), 21);
});

test("a brand's colours without sufficient contrast are ignored", () => {
  const own = { background: "#f1f3f8", card: "#ffffff", text: "#161a23", muted: "#535b6d" };
  const names = (colours) => variables(colours, own).map(([name]) => name);
  assert.deepEqual(names({ text: "#999999", accent: "#b3245b" }), ["accent", "on-accent"]);
  assert.deepEqual(names({ background: "#222222" }), []); // the muted text on it
  assert.deepEqual(names({ card: "#000000", background: "#222222" }), []);
  const dark = { card: "#000000", background: "#222222", text: "#ffffff", muted: "#cccccc" };
  assert.deepEqual(names(dark), ["card", "background", "text", "muted"]);
  assert.deepEqual(names({ background: "#faf3f0", accent: "#b3245b" }), ["background", "accent", "on-accent"]);
});

test("a brand's texts replace the page's if they have the same form", () => {
  const own = { enter: "Come in", expired: ["Too late", "Sorry"], minutes: { one: "{time} m", other: "{time} m" } };
  const found = mergeTexts(en, { enter: "Hello" }, own);
  assert.deepEqual([found.enter, found.expired, found.minutes], [own.enter, own.expired, own.minutes]);
  const odd = { reset: "text", ended: null, minutes: "text", enter: 5, unknown: "text" };
  assert.deepEqual(mergeTexts(en, undefined, odd), en);
});

test("known placeholders are filled in, others are not", () => {
  assert.equal(fill("Within {time}", { time: "1:00" }), "Within 1:00");
});
