// SPDX-License-Identifier: Apache-2.0
// Writes to the document: texts, sections, countdowns and announcements. It knows no state of a room.
import { fill, variables } from "./view.js";

const written = new Map(); // element → text

export const $ = (id) => document.getElementById(id);

/** Write a text only if it changed, so that translations of the browser stay. */
export function write(part, text) {
  if (written.get(part) === text) return;
  written.set(part, text);
  part.textContent = text;
}

/** Write a text, or hide its element if there is none. */
export function writeOrHide(id, text) {
  $(id).hidden = !text;
  write($(id), text || "");
}

export function announce(text) {
  if (text) $("live").textContent = text;
}

/** Show one section; the focus follows if it was in another one. */
export function showSection(name, isFirst) {
  const busy = document.activeElement || document.body;
  const lost = busy === document.body || busy.closest("section");
  for (const part of document.querySelectorAll("section")) part.hidden = part.dataset.view !== name;
  if (!isFirst && lost) document.querySelector("section:not([hidden]) h1").focus();
}

/** Write a countdown; five minutes and one minute before its end it is announced. */
export function count(id, text, left, form, words) {
  const said = left === null ? "" : fill(text, { time: form.until(left, words) });
  write($(id), said);
  if (said && [300, 60].includes(Math.ceil(left))) announce(said);
}

/** Make the notes scrollable by keyboard if they overflow, and keep the focus from being under them. */
export function updateScrolling() {
  const notes = $("notes");
  document.documentElement.style.scrollPaddingBottom = `${notes.offsetHeight}px`;
  if (notes.scrollHeight > notes.clientHeight + 1) notes.tabIndex = 0;
  else notes.removeAttribute("tabindex");
}

/** Do `work` on a click, once at a time; `done` follows, with whether it failed. */
export function onClick(id, busyText, work, done) {
  $(id).addEventListener("click", async () => {
    const button = $(id);
    if (button.hasAttribute("aria-disabled")) return;
    button.setAttribute("aria-disabled", "true");
    button.textContent = busyText();
    let failed = false;
    try {
      await work();
    } catch (error) {
      failed = true;
    }
    button.removeAttribute("aria-disabled");
    button.textContent = written.get(button);
    done(failed);
  });
}

/** Apply the name, logo and colours of a brand. */
export function applyBrand({ name, logo, colors, colors_dark }) {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const { style } = document.documentElement;
  style.cssText = "";
  const seen = getComputedStyle(document.documentElement);
  const own = {};
  for (const part of ["background", "card", "text", "muted"])
    own[part] = seen.getPropertyValue(`--${part}`).trim();
  const wanted = dark ? colors_dark || { accent: colors && colors.accent } : colors;
  for (const [part, colour] of variables(wanted, own)) style.setProperty(`--${part}`, colour);
  for (const part of document.querySelectorAll("meta[name=theme-color]"))
    part.content = seen.getPropertyValue("--background").trim();
  $("name").textContent = name || "";
  $("logo").hidden = !logo;
  if (logo) $("logo").src = logo;
}
