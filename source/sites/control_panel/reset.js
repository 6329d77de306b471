// SPDX-License-Identifier: Apache-2.0
/** Resetting the room. */

import { confirmed } from './confirm.js';
import { cardOf } from './panel-context.js';
import { byId } from './dom.js';
import { some } from './format.js';

export class ResetCard {
  #desk;
  #card = cardOf(byId('reset'));

  constructor(desk) {
    this.#desk = desk;
    byId('reset').addEventListener('click', () => this.#reset());
  }

  clear() {
    this.#desk.tell(this.#card, 'done', '');
  }

  async #reset() {
    const { api, figures } = this.#desk;
    if (api === null || figures === null || this.#card.dataset.busy) return;
    const agreed = await confirmed({
      title: 'Reset the waiting room?',
      words: `${some(figures.waiting, 'visitor')} in line will lose their place, and all figures restart at zero. This cannot be undone. This is line ${figures.generation}.`,
      action: 'Reset everything',
      typed: api.eventId,
    });
    if (!agreed) return;
    await this.#desk.act(this.#card, 'Reset the waiting room', (now) => now.reset(figures.generation), (answer) => answer.message,
      { then: () => { this.#desk.wasReset = true; } });
  }
}
