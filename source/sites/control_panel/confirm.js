// SPDX-License-Identifier: Apache-2.0
/** The one dialog that asks before something that cannot be taken back, or is probably a mistake. */

import { byId, markWrong, write } from './dom.js';

const THINK = 400; // milliseconds before the dialog can be agreed to: a second click is no answer

/**
 * Ask; promises whether the operator agreed. With `typed` they have to type exactly that.
 * The dialog is modal, Escape cancels, and the focus goes back to where it was.
 */
export function confirmed({ title, words, action, typed = '', danger = true }) {
  const dialog = byId('confirm');
  if (dialog.open) return Promise.resolve(false);
  const form = dialog.querySelector('form');
  const input = byId('confirm-typed');
  const yes = byId('confirm-yes');
  write(byId('confirm-title'), title);
  write(byId('confirm-words'), words);
  write(yes, action);
  yes.classList.toggle('danger', danger);
  byId('confirm-typing').hidden = !typed;
  write(byId('confirm-label'), `Type ${typed} to confirm`);
  write(byId('confirm-wrong'), '');
  markWrong(input, false);
  input.value = '';
  yes.disabled = !typed; // typing takes longer than a second click
  const ready = setTimeout(() => { yes.disabled = false; }, THINK);

  return new Promise((resolve) => {
    let agreed = false;
    form.onsubmit = (event) => {
      event.preventDefault();
      if (yes.disabled) return;
      if (typed && input.value !== typed) {
        markWrong(input, true);
        write(byId('confirm-wrong'), `That is not ${typed}.`);
        input.focus();
        return;
      }
      agreed = true;
      dialog.close();
    };
    byId('confirm-no').onclick = () => dialog.close();
    dialog.onclose = () => {
      clearTimeout(ready);
      input.value = '';
      resolve(agreed);
    };
    dialog.showModal();
    (typed ? input : byId('confirm-no')).focus();
  });
}
