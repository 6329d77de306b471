// SPDX-License-Identifier: Apache-2.0
/** Card that resets the event. */

import { confirmed } from '../page/confirm.js';
import { cardOf } from '../page/console-context.js';
import { byId } from '../page/dom.js';
import { some } from '../page/format.js';

export class ResetCard {
  #context;
  #card = cardOf(byId('reset'));

  constructor(context) {
    this.#context = context;
    byId('reset').addEventListener('click', () => this.#reset());
  }

  clear() {
    this.#context.showResult(this.#card, 'done', '');
  }

  async #reset() {
    const { api, metrics } = this.#context;
    if (api === null || metrics === null || this.#card.dataset.busy) return;
    const agreed = await confirmed({
      title: 'Reset the waiting room?',
      words: `${some(metrics.waiting, 'visitor')} in the queue will lose their position, and all metrics restart at zero. This cannot be undone. This is generation ${metrics.generation}.`,
      action: 'Reset everything',
      typed: api.eventId,
    });
    if (!agreed) return;
    await this.#context.runAction(this.#card, 'Reset the waiting room', (now) => now.reset(metrics.generation), (response) => response.message,
      { then: () => { this.#context.wasReset = true; } });
  }
}
