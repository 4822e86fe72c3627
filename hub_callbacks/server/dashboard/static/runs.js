import { morph } from "./morph.js";
import { localiseTimes } from "./page.js";
import { fetchJson, poll } from "./poll.js";

const live = document.getElementById("live");
const filters = document.getElementById("filters");
let mark = "";

poll(async () => {
  const url = live.dataset.url;
  const reply = await fetchJson(`${url}${url.includes("?") ? "&" : "?"}mark=${mark}`);
  if (reply.html !== null) {
    morph(live, reply.html);
    localiseTimes(live);
  }
  mark = reply.mark;
  return { pause_s: reply.pause_s, is_live: true };
});

// An address says only what was chosen.
filters.addEventListener("formdata", ({ formData }) => {
  for (const name of ["q", "where", "project"]) if (!formData.get(name)) formData.delete(name);
  const columns = document.getElementById("columns");
  if (!columns.dataset.changed) formData.delete("col");
});
filters.addEventListener("change", ({ target }) => {
  if (target.name === "col") document.getElementById("columns").dataset.changed = "yes";
  else if (target.id === "project") filters.requestSubmit();
});
