// SPDX-License-Identifier: Apache-2.0
// Texts, numbers and colours of the page.
import { acceptsJoins, awaitsOpening, nextOpening } from "./event.js";

/** First language of the visitor among those of the page. */
export const pickLanguage = (wanted, languages) =>
  wanted.map((tag) => String(tag).toLowerCase().split("-")[0]).find((one) => languages.includes(one)) ||
  "en";

const DAYS_FROM = 172_800; // s; a longer countdown is shown in days
const NEAR = 2; // minutes; a shorter wait is near

export const fill = (text, values) => text.replace(/{(\w+)}/g, (_, name) => values[name]);

/** Merge the texts with those of the brand; texts of another form are ignored. */
export function mergeTexts(words, ...owns) {
  const form = (text) => (typeof text === "string" ? "text" : Object.keys(text || {}).join());
  const fits = ([key, text]) => key in words && form(text) === form(words[key]);
  return owns.reduce(
    (all, own) => ({ ...all, ...Object.fromEntries(Object.entries(own || {}).filter(fits)) }),
    words,
  );
}

/**
 * Formats of a language; digits are those of the reference and of the clocks in every language. Dates
 * are in the visitor's time zone, and have the form of the first of the `wanted` languages that is a
 * variant of this one.
 */
export function formats(tag, wanted = []) {
  const language = `${tag}-u-nu-latn`;
  const number = new Intl.NumberFormat(language, { maximumFractionDigits: 1 });
  const plural = new Intl.PluralRules(language);
  const own = wanted.find((one) => String(one).split("-")[0] === tag.split("-")[0]) || tag;
  const date = new Intl.DateTimeFormat(`${String(own).split("-u-")[0]}-u-nu-latn`, {
    weekday: "long", day: "numeric", month: "long", hour: "numeric", minute: "2-digit", timeZoneName: "short",
  });
  return {
    number: (value) => (Number.isFinite(value) ? number.format(value) : "–"),
    /** Format a range of minutes, in minutes or hours. */
    time({ from, to }, words) {
      const [units, by] = to > 90 ? [words.hours, 60] : [words.minutes, 1];
      const [low, high] = [from / by, to / by].map((value) => Math.round(value * 2) / 2);
      const [least, most] = [number.format(low), number.format(high)];
      const time = low === high ? most : fill(words.range, { from: least, to: most });
      return fill(units[plural.select(high)] || units.other, { time });
    },
    clock(seconds) {
      const whole = Math.max(0, Math.ceil(seconds));
      const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
      const two = (part) => String(part).padStart(2, "0");
      return [...(hours ? [hours, two(minutes)] : [minutes]), two(whole % 60)].join(":");
    },
    /** Format a time, in ms since 1970. */
    date: (at) => date.format(at),
    /** Format a countdown: as a clock, or in days if it is longer than two. */
    until(seconds, words) {
      if (seconds < DAYS_FROM) return this.clock(seconds);
      const days = Math.floor(seconds / 86_400);
      return fill(words.days[plural.select(days)] || words.days.other, { time: number.format(days) });
    },
  };
}

/** Section that shows a state of waiting-room.js. */
export function viewOf({ phase, event }) {
  if (phase === "joining") return "placing";
  const closed = event && event.phase === "closed" && ["placing", "waiting", "turn"].includes(phase);
  return closed || (phase === "outside" && !acceptsJoins(event)) ? "event" : phase;
}

/** Title and text of the section that shows an event without joins. */
export const eventText = ({ event }, words) =>
  (event && words[event.phase === "unknown" ? "unknown_event" : event.phase]) || ["", ""];

/** Time at which visitors can join a scheduled event, in ms; null without one. */
export const startsAt = ({ event }) => (event && event.phase === "scheduled" ? nextOpening(event) : null);

/** Countdown to the admission. Times are those of the server, so the device's clock does not matter. */
function beginsText(at, serverNow, words, form) {
  const left = at && serverNow ? (at - serverNow) / 1000 : 0;
  return left > 0 ? fill(words.begins_in, { time: form.until(left, words) }) : words.opening;
}

/** Note of the event for a visitor who can join. */
export function noteText({ phase, event, serverNow }, words, form) {
  if (phase !== "outside" || !event) return "";
  if (event.phase === "paused") return words.stopped;
  return awaitsOpening(event) ? beginsText(nextOpening(event), serverNow, words, form) : "";
}

/** Return whether no visitor is admitted until the event opens or resumes. */
const isHalted = (wait) => Boolean(wait) && (wait.kind === "opening" || wait.kind === "paused");

/** Return whether a waiting visitor will soon be served. */
export const isNear = ({ phase, ahead, wait }) =>
  phase === "waiting" && Boolean(wait) && !isHalted(wait) &&
  (wait.kind === "soon" || ahead === 1 || (wait.kind === "range" && wait.to <= NEAR));

/** Label of the wait; empty while its text is not an estimate. */
export const waitLabel = (state, words) =>
  isNear(state) ? words.near : isHalted(state.wait) ? "" : words.wait;

export function waitText({ wait, serverNow }, words, form) {
  const { kind, from, opensAt } = wait || {};
  if (kind === "opening") return beginsText(opensAt, serverNow, words, form);
  if (kind === "paused") return words.stopped;
  if (kind === "soon") return words.wait_soon;
  if (kind === "long") return fill(words.wait_long, { hours: form.number(from / 60) });
  return kind === "range" ? form.time(wait, words) : words.wait_unknown;
}

/** Text and number of people ahead; no number for the next visitor. */
export function aheadText(ahead, words, form) {
  const before = Math.max(0, ahead - 1);
  return before === 0 ? [words.next, ""] : [words.ahead, form.number(before)];
}

export function titleOf(state, words, form, name) {
  const { phase } = state;
  const [label, count] = phase === "waiting" ? aheadText(state.ahead, words, form) : [];
  const said =
    phase === "waiting" ? (count ? `${count} · ${label}` : label)
    : phase === "turn" ? `● ${words.turn_title}`
    : phase === "inside" ? words.inside_title
    : phase === "receipt" ? words.receipt_title
    : phase === "event" ? eventText(state, words)[0]
    : phase === "over" ? (words[state.reason] || words.ended)[0]
    : "";
  return [said, name || words.title].filter(Boolean).join(" – ");
}

/** Describe a problem: cause, next attempt, and whether the position is safe. */
export function troubleText({ trouble, held }, words, form, now) {
  if (!trouble) return "";
  const left = (trouble.retryAt - now) / 1000;
  return [
    words[trouble.kind] || words.unreachable,
    left >= 1 ? fill(words.next_try, { time: form.clock(left) }) : "",
    held ? words.safe : "",
  ].filter(Boolean).join(" ");
}

/** A title and a text, with a pause between them when they are read aloud. */
const sentences = ([title, text]) => [title.replace(/[.。]$/, ""), text].filter(Boolean).join(". ");

/** Announcement for screen readers: relevant changes, not each poll. */
export function announcer() {
  let last = { message: "" };
  return (state, words, form, now) => {
    const { phase, ahead = 0, message = "" } = state;
    const reason = phase === "event" ? eventText(state, words)[0] : state.reason;
    const label = waitLabel(state, words);
    const trouble = state.trouble ? state.trouble.kind : "";
    const kind = phase === "waiting" && state.wait ? `${state.wait.kind}${isNear(state)}` : "";
    const said = [];
    if (trouble !== (last.trouble || "")) said.push(troubleText(state, words, form, now) || words.back);
    const near = phase === last.phase ? last.near : Infinity;
    const news = phase !== last.phase || reason !== last.reason;
    if (phase === "waiting" && (news || ahead <= near / 2 || kind !== last.kind)) {
      said.push(
        `${aheadText(ahead, words, form).filter(Boolean).join(": ")}.`,
        `${[label.replace(/[.。]$/, ""), waitText(state, words, form)].filter(Boolean).join(": ")}.`,
        `${words.place}: ${form.number(state.number)}.`,
      );
      last.near = ahead;
    } else if (news && phase === "turn") said.push(words.turn_title);
    else if (news && phase === "inside") said.push(words.inside_title);
    else if (news && phase === "event") said.push(sentences(eventText(state, words)));
    else if (news && phase === "over") said.push(sentences(words[reason] || words.ended));
    else if (news && words[phase]) said.push(words[phase]);
    if (message && message !== last.message) said.push(`${words.message}: ${message}`);
    last = { ...last, phase, reason, trouble, kind, message };
    return said.join(" ");
  };
}

/** Reference for operators: queue number and check code of the request id, or the check code. */
export function reference(requestId, number) {
  let sum = 0xffffffff; // CRC-32 as in zip files
  for (const letter of requestId.toLowerCase()) {
    sum ^= letter.charCodeAt(0);
    for (let bit = 0; bit < 8; bit += 1) sum = (sum >>> 1) ^ (sum & 1 ? 0xedb88320 : 0);
  }
  const check = ((sum ^ 0xffffffff) >>> 0).toString(16).toUpperCase().padStart(8, "0");
  return number > 0 ? `${number}-${check.slice(4)}` : `${check.slice(0, 4)}-${check.slice(4)}`;
}

// --- colours

const COLOUR = /^(background|card|text|muted|line|accent) #[\da-f]{6}$/i;
const MIN_CONTRAST = 4.5; // minimum contrast of text, WCAG 2.1 AA

function luminance(colour) {
  const parts = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16) / 255);
  const [red, green, blue] = parts.map((part) =>
    part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4,
  );
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

export function contrast(one, other) {
  const [low, high] = [luminance(one), luminance(other)].sort((less, more) => less - more);
  return (high + 0.05) / (low + 0.05);
}

/**
 * Convert a brand's colours to CSS variables; text on the accent is black or white, by contrast. With
 * `own`, the page's own colours, colours without sufficient contrast are ignored.
 */
export function variables(colours, own) {
  let found = Object.entries(colours || {}).filter((pair) => COLOUR.test(pair.join(" ")));
  const all = { ...own, ...Object.fromEntries(found) };
  const hidden = ["text", "muted"].some((text) =>
    ["card", "background"].some((under) => own && contrast(all[text], all[under]) < MIN_CONTRAST),
  );
  if (hidden) found = found.filter(([part]) => part === "accent" || part === "line");
  const { accent } = Object.fromEntries(found);
  if (!accent) return found;
  return [...found, ["on-accent", contrast(accent, "#000000") >= MIN_CONTRAST ? "#000" : "#fff"]];
}
