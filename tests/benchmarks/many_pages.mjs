// SPDX-License-Identifier: Apache-2.0
// Many waiting pages in one process:
// node many_pages.mjs <public api> <event> <pages> <visitors> <seconds>
// Each is the page's own module; the pages are tabs of so many visitors, who join and watch.
import { waitingRoom } from "../../source/sites/waiting_room/waiting-room.js";

const [publicApi, eventId, pages, visitors, seconds] = process.argv.slice(2);
const phases = {};
let joined = 0;
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

async function allWait() {
  while (rooms.some(({ phase }) => phase !== "waiting")) await pause(100);
}

function tab(stored) {
  return {
    storage: { getItem: (key) => stored.get(key) ?? null, setItem: (key, text) => stored.set(key, text) },
    crypto,
    fetch: (...given) => fetch(...given),
    now: () => Date.now(),
    random: () => Math.random(),
    setTimeout: (work, ms) => setTimeout(work, ms),
    clearTimeout: (timer) => clearTimeout(timer),
    hidden: () => false,
    online: () => true,
    on: () => {},
  };
}

const rooms = [];
const profiles = Array.from({ length: Number(visitors) }, () => new Map());
for (let page = 0; page < Number(pages); page += 1) {
  const browser = tab(profiles[page % profiles.length]);
  const room = waitingRoom({ eventId, publicApi, browser });
  const seen = { phase: "" };
  room.watch((state) => (seen.phase = state.phase));
  rooms.push(seen);
  if (page < profiles.length) room.join().then(() => (joined += 1));
  await pause(page < profiles.length ? 40 : 5); // joins that the AWS emulator can take
  if (page === profiles.length - 1) await allWait();
}
await allWait();
console.log(JSON.stringify({ ready: true, joined }));
setTimeout(() => {
  for (const { phase } of rooms) phases[phase] = (phases[phase] ?? 0) + 1;
  console.log(JSON.stringify({ phases }));
  process.exit(0);
}, Number(seconds) * 1000);
