// SPDX-License-Identifier: Apache-2.0
// Texts, numbers and colours of the page.

export const LANGUAGES = ["en", "ko", "es", "de", "fr", "ja"];

export const pickLanguage = (wanted) =>
  wanted.map((tag) => String(tag).toLowerCase().split("-")[0]).find((one) => LANGUAGES.includes(one)) ||
  "en";

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

export function formats(language) {
  const number = new Intl.NumberFormat(language, { maximumFractionDigits: 1 });
  const plural = new Intl.PluralRules(language);
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
    money: (cents, currency) =>
      new Intl.NumberFormat(
        language,
        currency ? { style: "currency", currency } : { minimumFractionDigits: 2 },
      ).format(cents / 100),
  };
}

export function waitText({ wait }, words, form) {
  const { kind, from } = wait || {};
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

/** Announcement for screen readers: relevant changes, not each poll. */
export function announcer() {
  let last = { message: "" };
  return (state, words, form, now) => {
    const { phase, ahead = 0, message = "", reason } = state;
    const trouble = state.trouble ? state.trouble.kind : "";
    const kind = phase === "waiting" && state.wait ? state.wait.kind : "";
    const said = [];
    if (trouble !== (last.trouble || "")) said.push(troubleText(state, words, form, now) || words.back);
    const near = phase === last.phase ? last.near : Infinity;
    const news = phase !== last.phase || reason !== last.reason;
    if (phase === "waiting" && (news || ahead <= near / 2 || kind !== last.kind)) {
      said.push(
        `${aheadText(ahead, words, form).filter(Boolean).join(": ")}.`,
        `${words.wait}: ${waitText(state, words, form)}.`,
        `${words.place}: ${form.number(state.number)}.`,
      );
      last.near = ahead;
    } else if (news && phase === "turn") said.push(words.turn_title);
    else if (news && phase === "inside") said.push(words.inside_title);
    else if (news && phase === "over") said.push(...(words[reason] || words.ended));
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
