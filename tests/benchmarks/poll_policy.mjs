// SPDX-License-Identifier: Apache-2.0
// Visitors who poll as the page does: `node poll_policy.mjs <folder of the page>`, scenarios on stdin.
// A scenario has the answers that the edge holds (one column for each member), the steps of the
// line, and visitors with the second at which they know their number. Times in seconds.
const { nextPoll } = await import(`${process.argv[2]}/policy.js`);
const { capPause } = await import(`${process.argv[2]}/estimate.js`);

/** The same numbers in every run (mulberry32). */
function seeded(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What the edge answers at a moment: an answer that is up to `life` old. */
function answerAt(scenario, moment) {
  const { answers, began, life } = scenario;
  const count = answers.now.length;
  const index = Math.max(0, Math.min(count - 1, Math.floor((moment - began) / life)));
  return Object.fromEntries(Object.entries(answers).map(([name, column]) => [name, column[index]]));
}

/** When the line reached a number. */
function turnOf(steps, number) {
  let low = 0;
  let high = steps.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (steps[middle][1] >= number) high = middle;
    else low = middle + 1;
  }
  return steps[low][0];
}

function visit(scenario, { learned, number }, random) {
  const half = scenario.latency / 2;
  let at = learned;
  let polls = 0;
  let longest = 0; // sleep within ten minutes of the turn
  let idle = 0;
  const turn = turnOf(scenario.steps, number);
  for (;;) {
    polls += 1;
    const status = answerAt(scenario, at + half);
    const ahead = number - status.serving_counter;
    at += scenario.latency;
    if (ahead <= 0) return { polls, late: at - Math.max(turn, learned), longest };
    const sleep = capPause(nextPoll({ ahead, status, random: random(), asked: idle }), {
      ahead,
      rate: status.admission_rate_per_minute,
      optimistic: status.optimistic_rate_per_minute,
      every: status.every,
      overdue: status.now - status.moved_at - status.every,
      random: random(),
    });
    idle = status.moved_at === null ? idle + 1 : 0;
    if (turn - at <= 600) longest = Math.max(longest, sleep);
    at += sleep;
  }
}

let text = "";
for await (const part of process.stdin) text += part;
const found = JSON.parse(text).map((scenario) => {
  const random = seeded(scenario.seed);
  return scenario.visitors.map((visitor) => visit(scenario, visitor, random));
});
console.log(JSON.stringify(found));
