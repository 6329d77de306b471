// SPDX-License-Identifier: Apache-2.0
/**
 * The page to which the provider returns. It hands the answer to the console and takes it out of the
 * address. The answer contains a code, which is of no use without the verifier of the console.
 */

import { answerOf, announceAnswer, handOver } from './sign-in/answer.js';

const answer = answerOf(window.location);
window.history.replaceState(null, '', window.location.pathname);
if (handOver(window.sessionStorage, answer)) window.location.replace('./');
else {
  announceAnswer(answer);
  window.close();
}
