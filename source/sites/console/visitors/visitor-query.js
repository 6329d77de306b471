// SPDX-License-Identifier: Apache-2.0
/** Parser for the visitor look-up: a request id, a queue number, or a reference. */

const INVISIBLE = /[\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]/gu;
const DASHES = /[\u2010-\u2015\u2212\ufe58\ufe63\uff0d_]/gu;
const ID = /^([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})$/i;
const NUMBER = /^#?([1-9]\d{0,2}(?:[,.’' ]?\d{3}){0,4}|[1-9]\d{0,14})$/;
const REFERENCE = /^#?([1-9][\d,.’' ]{0,20}?) ?[- ] ?([0-9a-f]{4})$/i;
const WITHOUT_NUMBER = /^[0-9a-f]{4} ?- ?[0-9a-f]{4}$/i;

/**
 * Parse the input to the look-up parameter: `{request_id}`, `{queue_number}` or `{reference}`;
 * otherwise `{wrong}`, a message. Case, spaces, thousands separators and kinds of dashes are ignored.
 */
export function parseVisitorQuery(text) {
  const typed = text.normalize('NFKC').replace(INVISIBLE, '').replace(DASHES, '-').replace(/\s+/g, ' ').trim();
  if (!typed) return { wrong: 'Enter a reference, a queue number or a request ID.' };
  const id = ID.exec(typed.replaceAll(' ', ''));
  if (id) return { request_id: id.slice(1).join('-').toLowerCase() };
  const reference = REFERENCE.exec(typed);
  // the last four digits of 1 234 5678 are no thousands group: groups have three
  if (reference) return { reference: `${digits(reference[1])}-${reference[2].toUpperCase()}` };
  const number = NUMBER.exec(typed);
  if (number) return { queue_number: digits(number[1]) };
  if (WITHOUT_NUMBER.test(typed)) {
    return { wrong: 'This reference is from before the visitor had a queue number. Ask for the one their page shows now.' };
  }
  return { wrong: 'Enter a reference (1234-9F3C), a queue number (1234) or a request ID.' };
}

function digits(text) {
  return text.replace(/\D/g, '');
}
