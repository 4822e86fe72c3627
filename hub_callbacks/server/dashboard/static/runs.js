import { morph } from "./morph.js";
import { localiseTimes } from "./page.js";
import { fetchJson, poll } from "./poll.js";

const live = document.getElementById("live");
const filters = document.getElementById("filters");
const picks = document.getElementById("picks");
const MOST_COMPARED = 20; // as on the hub
let mark = "";

async function update() {
  const url = live.dataset.url;
  const reply = await fetchJson(`${url}${url.includes("?") ? "&" : "?"}mark=${mark}`);
  if (reply.html !== null) {
    morph(live, reply.html);
    localiseTimes(live);
    showPicks();
  }
  mark = reply.mark;
  return { pause_s: reply.pause_s, is_live: true };
}
if (!document.getElementById("problem")) poll(update); // what cannot be read is not asked for again

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

// What is selected outlasts a turn of the page, for as long as the tab is open.
const picked = new Set(JSON.parse(sessionStorage.getItem("picked") ?? "[]"));

function showPicks() {
  for (const box of live.querySelectorAll("input[name='run']")) box.checked = picked.has(box.value);
  const bar = document.getElementById("picked");
  if (!bar) return;
  bar.hidden = picked.size === 0;
  const compare = document.getElementById("compare");
  compare.disabled = picked.size < 2 || picked.size > MOST_COMPARED;
  compare.title = compare.disabled ? `Select 2 to ${MOST_COMPARED} runs to compare them` : "";
  document.getElementById("unpick").hidden = false;
  document.getElementById("picked-count").textContent = `${picked.size} selected`;
}

function keepPicks() {
  sessionStorage.setItem("picked", JSON.stringify([...picked]));
  showPicks();
}

picks.addEventListener("change", ({ target }) => {
  if (target.name !== "run") return;
  if (target.checked) picked.add(target.value);
  else picked.delete(target.value);
  keepPicks();
});
picks.addEventListener("formdata", ({ formData }) => {
  formData.delete("run");
  for (const id of picked) formData.append("run", id);
});
document.getElementById("unpick")?.addEventListener("click", () => {
  picked.clear();
  keepPicks();
});

showPicks();
