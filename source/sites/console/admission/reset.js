// SPDX-License-Identifier: Apache-2.0
/** Card that resets the event. */

import { confirmed } from '../page/confirm.js';
import { cardOf } from '../page/console-context.js';
import { byId } from '../page/dom.js';
import { count, some } from '../page/format.js';

const resets = (number) => (number === 0 ? 'not reset' : number === 1 ? 'reset once' : `reset ${count(number)} times`);

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
      title: `Reset the event ${api.eventId}?`,
      words: `${some(metrics.waiting, 'visitor')} in the queue will lose their position, all metrics restart at zero, and the message to visitors is deleted. Other events stay as they are. This cannot be undone. The queue was ${resets(metrics.generation - 1)} before.`,
      action: 'Reset this event',
      typed: api.eventId,
    });
    if (!agreed) return;
    await this.#context.runAction(this.#card, `Reset the event ${api.eventId}`, (now) => now.reset(metrics.generation), (response) => response.message,
      { then: () => { this.#context.wasReset = true; } });
  }
}
