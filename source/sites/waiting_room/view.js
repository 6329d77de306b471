// SPDX-License-Identifier: Apache-2.0
// What the page says: words, numbers, colours.

export const LANGUAGES = {
  en: "English",
  ko: "한국어",
  es: "Español",
  de: "Deutsch",
  fr: "Français",
  ja: "日本語",
};

export const pickLanguage = (wanted) =>
  wanted.map((tag) => String(tag).toLowerCase().split("-")[0]).find((one) => LANGUAGES[one]) ?? "en";

export const fill = (words, values) => words.replace(/{(\w+)}/g, (_, name) => values[name]);

export function formats(language) {
  const number = new Intl.NumberFormat(language);
  const unit = (name) =>
    new Intl.NumberFormat(language, { style: "unit", unit: name, unitDisplay: "long", maximumFractionDigits: 1 });
  return {
    number: (value) => (Number.isFinite(value) ? number.format(value) : "–"),
    time({ from, to }) {
      const [name, by] = to > 90 ? ["hour", 60] : ["minute", 1];
      const [low, high] = [from / by, to / by].map((value) => Math.round(value * 2) / 2);
      const form = unit(name);
      if (low === high) return form.format(high);
      return form.formatRange?.(low, high) ?? `${number.format(low)}–${form.format(high)}`;
    },
    hours: (count) => unit("hour").format(count),
    clock(seconds) {
      const whole = Math.max(0, Math.ceil(seconds));
      const parts = [Math.floor(whole / 60) % 60, whole % 60].map((part) => String(part).padStart(2, "0"));
      return [...(whole < 3600 ? [] : [Math.floor(whole / 3600)]), ...parts].join(":");
    },
    money: (cents, currency) =>
      new Intl.NumberFormat(
        language,
        currency ? { style: "currency", currency } : { minimumFractionDigits: 2 },
      ).format(cents / 100),
  };
}

export function waitText({ wait }, words, form) {
  const { kind, from } = wait ?? {};
  if (kind === "paused") return words.stopped;
  if (kind === "soon") return words.wait_soon;
  if (kind === "long") return fill(words.wait_long, { time: form.hours(from / 60) });
  return kind === "range" ? form.time(wait) : words.wait_unknown;
}

export function titleOf(state, words, form, name) {
  const { phase } = state;
  const said =
    phase === "waiting" ? `${form.number(state.ahead)} · ${words.place} ${form.number(state.number)}`
    : phase === "turn" ? `● ${words.turn_title}`
    : phase === "over" ? words[state.reason][0]
    : "";
  return [said, name].filter(Boolean).join(" – ");
}

/** What is wrong, and whether there is a place that is safe. */
export const troubleText = ({ trouble, held }, words) =>
  trouble && [words[trouble.kind] ?? words.unreachable, held ? words.safe : ""].join(" ").trim();

/** What a screen reader is told: changes that matter, not each poll. */
export function announcer() {
  let last = { message: "" };
  return (state, words, form) => {
    const { phase, ahead = 0, message = "", reason } = state;
    const trouble = state.trouble?.kind;
    const kind = phase === "waiting" ? state.wait?.kind : undefined;
    const said = [];
    if (trouble !== last.trouble) said.push(troubleText(state, words) ?? words.back);
    const near = phase === last.phase ? last.near : Infinity;
    const news = phase !== last.phase || reason !== last.reason;
    if (phase === "waiting" && (news || ahead <= near / 2 || kind !== last.kind)) {
      said.push(
        `${words.place}: ${form.number(state.number)}.`,
        `${words.ahead}: ${form.number(ahead - 1)}.`,
        `${words.wait}: ${waitText(state, words, form)}.`,
      );
      last.near = ahead;
    } else if (news && phase === "turn") said.push(words.turn_title);
    else if (news && phase === "over") said.push(...words[reason]);
    else if (news && words[phase]) said.push(words[phase]);
    if (message && message !== last.message) said.push(`${words.message}: ${message}`);
    last = { ...last, phase, reason, trouble, kind, message };
    return said.join(" ");
  };
}

const COLOUR = /^(background|card|text|muted|line|accent) #[\da-f]{6}$/i;

/** A brand's colours as CSS variables; what stands on the accent is black or white, by contrast. */
export function variables(colours = {}) {
  const found = Object.entries(colours).filter((pair) => COLOUR.test(pair.join(" ")));
  const accent = Object.fromEntries(found).accent;
  if (!accent) return found;
  const light = [0.2126, 0.7152, 0.0722]
    .map((share, at) => share * (parseInt(accent.substr(at * 2 + 1, 2), 16) / 255) ** 2.2)
    .reduce((sum, part) => sum + part);
  return [...found, ["on-accent", light > 0.18 ? "#000" : "#fff"]];
}
