import { morph } from "./morph.js";
import { localiseTimes } from "./page.js";
import { fetchJson, poll } from "./poll.js";

const live = document.getElementById("live");

poll(async () => {
  const { html, pause_s } = await fetchJson(live.dataset.url);
  morph(live, html);
  localiseTimes(live);
  return { pause_s, is_live: true };
});
