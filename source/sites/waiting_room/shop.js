// SPDX-License-Identifier: Apache-2.0
// The purchase in the sample store, and its receipt. Only visitors of that store load this module.

/** Buy with a token: `{receipt}`, `{refused: true}` if the token is not accepted, or `{}`. */
export async function buy(storeApi, token, pause) {
  for (let tries = 1; ; tries += 1) {
    const answer = await fetch(`${storeApi}/checkout`, { headers: { Authorization: token } }).catch(
      () => null,
    );
    if (answer && answer.ok) return { receipt: await answer.json() };
    if (answer && [401, 403].includes(answer.status)) return { refused: true };
    if (tries === 3) return {};
    await pause(tries);
  }
}

/** Format of an amount in cents, without a currency if there is none. */
export function moneyOf(tag, currency) {
  const usual = currency ? { style: "currency", currency } : { minimumFractionDigits: 2 };
  const format = new Intl.NumberFormat(`${tag}-u-nu-latn`, usual);
  return (cents) => format.format(cents / 100);
}

/** Write the receipt as a list of terms. */
export function showReceipt(list, receipt, words, currency) {
  const money = moneyOf(words.tag, currency);
  const lines = [
    [words.order, receipt.order_id],
    ...(receipt.items || []).map((item) => [item.name, money(item.price_cents)]),
    [words.total, money(receipt.total_cents)],
  ];
  list.textContent = "";
  for (const line of lines) {
    const row = document.createElement("div");
    for (const [at, text] of line.entries())
      row.append(Object.assign(document.createElement(at ? "dd" : "dt"), { textContent: text }));
    list.append(row);
  }
}
