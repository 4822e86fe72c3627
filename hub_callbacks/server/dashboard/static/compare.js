import { drawBeside } from "./beside.js";
import { colour, DASHES, plot } from "./curves.js";
import { morph } from "./morph.js";
import { localiseTimes } from "./page.js";
import { fetchJson, poll } from "./poll.js";
import { control } from "./settings.js";
import { join } from "./together.js";

const charts = document.getElementById("chart-cards");
const bests = document.getElementById("bests");
const drawings = document.getElementById("drawings");
const buttons = [...document.querySelectorAll("[data-run].curve")];
const inView = new Set();
let lines = {};
let mark = "";

async function update() {
  const reply = await fetchJson(`${charts.dataset.url}&mark=${mark}`);
  mark = reply.mark;
  if (reply.lines) {
    lines = reply.lines;
    morph(bests, reply.html.bests);
    morph(drawings, reply.html.drawings);
    localiseTimes(bests);
    drawAll();
  }
  return reply;
}

function drawAll() {
  for (const place of charts.querySelectorAll(".plot")) place.dataset.stale = "yes";
  for (const place of inView) draw(place);
  drawBeside();
}

/** Draw a chart when the reader can see it: a page has a dozen of them. */
function draw(place) {
  if (!place.dataset.stale || mark === "") return;
  delete place.dataset.stale;
  const curves = buttons.map((button) => ({
    name: button.firstElementChild.textContent,
    colour: colour(getComputedStyle(button), "--curve"),
    dash: DASHES[button.dataset.dash],
    isShown: button.getAttribute("aria-pressed") === "true",
    ...(lines[button.dataset.run]?.[place.dataset.metric] ?? { x: [], y: [] }),
  }));
  plot(place, curves);
  join(() => [...charts.querySelectorAll(".plot")].filter((one) => one.data), showAt);
}

/** Put the values of a chart at an epoch beside the names of the runs. */
function showAt(epoch, place) {
  for (const button of buttons) {
    const line = epoch === null ? undefined : lines[button.dataset.run]?.[place.dataset.metric];
    const at = line ? line.x.findLastIndex((x) => x <= epoch) : -1;
    const value = at >= 0 && line.x.at(-1) >= epoch ? line.y[at] : undefined;
    button.querySelector("b").textContent = Number.isFinite(value) ? String(Number(value.toPrecision(4))) : "";
  }
  const metric = place?.dataset.metric.replace("metrics/", "");
  document.getElementById("hovered").textContent = epoch === null ? "" : `${metric}, epoch ${epoch}`;
}

const watcher = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) inView.add(target);
      else inView.delete(target);
      if (isIntersecting) draw(target);
    }
  },
  { rootMargin: "200px" },
);
for (const place of charts.querySelectorAll(".plot")) watcher.observe(place);

document.getElementById("compared").addEventListener("click", ({ target }) => {
  const button = target.closest("[data-run]");
  if (!button) return;
  button.setAttribute("aria-pressed", button.getAttribute("aria-pressed") !== "true");
  drawAll();
});

control(document.getElementById("chart-settings"), drawAll);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
poll(update);
