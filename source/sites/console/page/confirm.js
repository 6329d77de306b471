// SPDX-License-Identifier: Apache-2.0
/** Confirmation dialog for actions that cannot be undone or are probably a mistake. */

import { byId, markWrong, write } from './dom.js';

const ACCEPT_DELAY = 400; // milliseconds before the button is enabled, so that a double click does not confirm

/**
 * Ask for confirmation; resolves to whether the operator confirmed. With `typed`, the operator must
 * type exactly this text. With `number`, `{label, read, wrong}`, the operator must enter a number, to
 * which it resolves; `read(text)` returns the number or null. The dialog is modal, Escape cancels it,
 * and the focus returns afterwards.
 */
export function confirmed({ title, words, action, typed = '', number = null, danger = true }) {
  const dialog = byId('confirm');
  if (dialog.open) return Promise.resolve(false);
  const form = dialog.querySelector('form');
  const input = byId('confirm-typed');
  const yes = byId('confirm-yes');
  write(byId('confirm-title'), title);
  write(byId('confirm-words'), words);
  write(yes, action);
  yes.classList.toggle('danger', danger);
  const field = number ?? (typed && typedField(typed));
  byId('confirm-typing').hidden = !field;
  write(byId('confirm-label'), field ? field.label : '');
  write(byId('confirm-wrong'), '');
  markWrong(input, false);
  input.value = '';
  yes.disabled = !field; // typing takes longer than a double click
  const ready = setTimeout(() => { yes.disabled = false; }, ACCEPT_DELAY);

  return new Promise((resolve) => {
    let agreed = false;
    form.onsubmit = (event) => {
      event.preventDefault();
      if (yes.disabled) return;
      agreed = field ? field.read(input.value) ?? false : true;
      if (agreed === false) {
        markWrong(input, true);
        write(byId('confirm-wrong'), field.wrong);
        input.focus();
        return;
      }
      dialog.close();
    };
    byId('confirm-no').onclick = () => dialog.close();
    dialog.onclose = () => {
      clearTimeout(ready);
      input.value = '';
      resolve(agreed);
    };
    dialog.showModal();
    (field ? input : byId('confirm-no')).focus();
  });
}

/** Field in which the operator must type exactly this text. */
function typedField(typed) {
  return {
    label: `Type ${typed} to confirm`,
    read: (text) => (text === typed ? true : null),
    wrong: `That is not ${typed}.`,
  };
}
