import { colour, plot, Rows } from "./curves.js";
import { morph } from "./morph.js";
import { localiseTimes } from "./page.js";
import { fetchJson, poll } from "./poll.js";
import { control } from "./settings.js";
import { join } from "./together.js";

const live = document.getElementById("live");
const charts = document.getElementById("chart-cards");
const rows = new Rows();
let drawn = "";

async function update() {
  let reply = await ask(Math.max(0, rows.lastEpoch)); // the last row too: a later validation may rewrite it
  if (reply.received !== rows.count || isUnknown(reply.rows)) {
    rows.clear(); // late rows filled a gap behind us, or there is a chart to add
    reply = await ask(0);
  }
  for (const part of document.querySelectorAll("[data-live]")) {
    const html = reply.html[part.dataset.live];
    if (html !== undefined) morph(part, html);
  }
  localiseTimes(document);
  drawChanges(JSON.stringify([reply.received, reply.rows]));
  return reply;
}

async function ask(since) {
  const reply = await fetchJson(`${live.dataset.url}?since=${since}`);
  rows.add(reply.rows);
  return reply;
}

function isUnknown({ values }) {
  const known = new Set([...charts.querySelectorAll("[data-metric]")].map((button) => button.dataset.metric));
  return Object.keys(values).some((metric) => !known.has(metric));
}

function drawChanges(news) {
  if (news !== drawn) drawAll();
  drawn = news;
}

function drawAll() {
  const best = live.dataset.score ? rows.best(live.dataset.score) : null;
  const said = document.getElementById("best-epoch");
  said.textContent = best === null ? "" : `best: epoch ${best}`;
  for (const card of charts.querySelectorAll(".chart")) draw(card, best);
  join(() => [...charts.querySelectorAll(".plot")], showAt);
  showAt(null);
}

/** Draw the chart of one card: its buttons name the metrics, and a pressed one shows its curve. */
function draw(card, best) {
  const curves = [...card.querySelectorAll("[data-metric]")].map((button) => ({
    name: button.firstChild.textContent.trim(),
    colour: colour(getComputedStyle(button), "--curve"),
    isShown: button.getAttribute("aria-pressed") === "true",
    ...rows.curve(button.dataset.metric),
  }));
  plot(card.querySelector(".plot"), curves, { best });
  sayNotFinite(card.querySelector(".not-finite"), [...new Set(curves.flatMap((curve) => curve.notFinite))]);
}

/** Put the values of an epoch, or the last ones, beside the names of the curves. */
function showAt(epoch) {
  for (const button of charts.querySelectorAll("[data-metric]")) {
    const { x, y } = rows.curve(button.dataset.metric);
    const at = epoch === null ? y.length - 1 : x.indexOf(epoch);
    button.querySelector("b").textContent = short(y[at]);
  }
  document.getElementById("hovered").textContent = epoch === null ? "" : `epoch ${epoch}`;
}

function short(value) {
  if (value === undefined || value === null) return "–";
  const size = Math.abs(value);
  return size >= 0.001 && size < 100 ? value.toFixed(4) : String(Number(value.toPrecision(5)));
}

function sayNotFinite(place, epochs) {
  const text = epochs.length ? `not finite: epoch ${ranges(epochs.sort((a, b) => a - b))}` : "";
  if (place.textContent !== text) place.textContent = text;
  place.hidden = !text;
}

/** 3, 5–9 */
function ranges(epochs) {
  const parts = [];
  for (const epoch of epochs) {
    const last = parts.at(-1);
    if (last && last[1] === epoch - 1) last[1] = epoch;
    else parts.push([epoch, epoch]);
  }
  const words = parts.map(([first, last]) => (first === last ? `${first}` : `${first}–${last}`));
  return words.length > 3 ? `${words.slice(0, 3).join(", ")}, …` : words.join(", ");
}

charts.addEventListener("click", (event) => {
  const button = event.target.closest("[data-metric]");
  if (!button) return;
  button.setAttribute("aria-pressed", button.getAttribute("aria-pressed") !== "true");
  drawAll();
});

control(document.getElementById("chart-settings"), drawAll);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
poll(update);
