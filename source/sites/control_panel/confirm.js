// SPDX-License-Identifier: Apache-2.0
/** The one dialog that asks before something that cannot be taken back. */

import { byId, markWrong, write } from './dom.js';

/**
 * Ask; promises whether the operator agreed. With `typed` they have to type exactly that.
 * The dialog is modal, Escape cancels, and the focus goes back to where it was.
 */
export function confirmed({ title, words, action, typed = '', danger = true }) {
  const dialog = byId('confirm');
  const form = dialog.querySelector('form');
  const input = byId('confirm-typed');
  write(byId('confirm-title'), title);
  write(byId('confirm-words'), words);
  write(byId('confirm-yes'), action);
  byId('confirm-yes').classList.toggle('danger', danger);
  byId('confirm-typing').hidden = !typed;
  write(byId('confirm-label'), `Type ${typed} to go on`);
  write(byId('confirm-wrong'), '');
  markWrong(input, false);
  input.value = '';

  return new Promise((resolve) => {
    let agreed = false;
    form.onsubmit = (event) => {
      event.preventDefault();
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
      input.value = '';
      resolve(agreed);
    };
    dialog.showModal();
    (typed ? input : byId('confirm-no')).focus();
  });
}
