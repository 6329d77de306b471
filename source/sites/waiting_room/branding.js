// SPDX-License-Identifier: Apache-2.0
// Reads what an event adds to the page: title, brand, texts and a block of HTML. The page loads this
// module once the status of the event has a version of it.
const KEPT = 60; // s for which the edge keeps the response
const $ = (id) => document.getElementById(id);

export function branding({ config, pause, showOwn }) {
  let wanted = "";
  const address = `${config.public_api}/page?event_id=${encodeURIComponent(config.event_id)}`;

  function show({ title, page }) {
    showOwn({ title, page });
    const { html } = page;
    $("block").innerHTML = html; // the room has removed what could run; the policy blocks scripts
    $("block").hidden = !html;
  }

  /** Read until the response has the version; one of an edge can be older. */
  async function read(version) {
    for (let tries = 0; wanted === version; tries += 1) {
      try {
        const answer = await fetch(address, { cache: tries ? "no-cache" : "default" });
        const found = await answer.json();
        if (wanted !== version) return;
        if (found.event_id === config.event_id) show(found);
        if (found.version === version) return;
      } catch (error) {
        // the page works without it
      }
      await pause(KEPT * (1 + Math.random()));
    }
  }

  /** Follow a version; without one, the event adds nothing any more. */
  return (version) => {
    wanted = version;
    if (version) read(version);
    else show({ title: "", page: { html: "" } });
  };
}
