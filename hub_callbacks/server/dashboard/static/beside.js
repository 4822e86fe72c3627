// The last validations of several runs beside each other: their curves in one pair of axes, their confusion matrices in
// a row, or what differs from the first one's.

import { colour, DASHES } from "./curves.js";
import { choose, CONFIG, curveAxes, drawCells, layout, namesOf, sharesOf } from "./drawings.js";
import { fetchJson } from "./poll.js";

const UNIFIED_UP_TO = 8; // runs whose values still fit in one hover
const ALL = "all classes"; // the first line of each curve

const place = document.getElementById("drawings");
const buttons = [...document.querySelectorAll("[data-run].curve")];
const read = new Map(); // address to the numbers behind it
const DRAWERS = { "drawing-curves": drawCurves, "drawing-matrices": drawMatrices };

const seen = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) if (isIntersecting) draw(target);
  },
  { rootMargin: "200px" },
);

/** Draw, when the reader comes to it, what is new or was changed by the reader. */
export function drawBeside() {
  seen.disconnect();
  for (const card of place.querySelectorAll(".drawing")) seen.observe(card);
}

function draw(card) {
  DRAWERS[card.id](card).catch((error) => {
    card.querySelector(".choices").textContent = error.message;
  });
}

async function drawCurves(card) {
  const runs = await readAll(card);
  const titles = [...new Set(runs.flatMap(({ data }) => data.curves.map(({ title }) => title)))];
  choose(card, namesOf(titles), (chosen) => {
    const found = runs.flatMap(({ button, data }) => {
      const curve = data.curves.find(({ title }) => title === titles[chosen]);
      return curve ? [{ button, ...curve }] : [];
    });
    const names = [...new Set(found.flatMap(({ lines }) => lines.map(({ name }) => name)))];
    choice(card.querySelector("select"), names, (name) => drawLines(card.querySelector(".plot"), found, name));
  })();
}

/** Offer names in a list, what was chosen before first if it is still there; `show` is called with the chosen one. */
function choice(list, names, show) {
  const before = names.includes(list.value) ? list.value : ALL;
  list.replaceChildren(...names.map((name) => new Option(name, name, false, name === before)));
  list.onchange = () => show(list.value);
  show(list.value);
}

function drawLines(plot, curves, name) {
  const style = getComputedStyle(document.documentElement);
  const traces = curves.map(({ button, at, lines }) => ({
    type: "scatter",
    mode: "lines",
    name: nameOf(button),
    x: at,
    y: lines.find((line) => line.name === name)?.values ?? [],
    line: { color: colour(getComputedStyle(button), "--curve"), width: 2, dash: DASHES[button.dataset.dash] },
    hovertemplate: "%{y:.3f}",
  }));
  const { x, y } = curves[0] ?? { x: "", y: "" };
  const hovermode = traces.length <= UNIFIED_UP_TO ? "x unified" : "closest";
  const axes = curveAxes(style, x, y);
  axes.xaxis.unifiedhovertitle = { text: `${x} %{x:.3f}` };
  Plotly.react(plot, traces, { ...layout(style), ...axes, hovermode }, CONFIG);
}

async function drawMatrices(card) {
  const runs = await readAll(card);
  for (const figure of card.querySelectorAll("[data-url]")) figure.hidden = !runs.some((run) => run.place === figure);
  choose(card, ["Shares", "Counts", "Difference from the first"], (chosen) => {
    for (const run of runs) drawMatrix(run, chosen === 2 && run !== runs[0] ? runs[0] : null, chosen === 1);
  })();
}

/** Draw one run's matrix: as shares or counts, or, with a first one given, its shares less those of that. */
function drawMatrix({ place: figure, data }, first, isCounts) {
  const plot = figure.querySelector(".plot");
  const shares = sharesOf(data);
  if (first) {
    const z = lessThan(shares, data.names, first.data);
    const hover = `%{z:+.1%} to ${nameOf(first.button)}, %{customdata:.1%}`;
    return drawCells(plot, data, { z, more: shares, form: ":+.2f", hover, isDifference: true });
  }
  if (isCounts) return drawCells(plot, data, { z: data.counts, more: shares, form: "", hover: "%{z}, %{customdata:.1%}" });
  return drawCells(plot, data, { z: shares, more: data.counts, form: ":.2f", hover: "%{customdata}, %{z:.1%}" });
}

/** Shares less those of the first run, class by class, whatever their order; null where that run has no such class. */
function lessThan(shares, names, first) {
  const others = sharesOf(first);
  const at = names.map((name) => first.names.indexOf(name));
  return shares.map((row, y) => row.map((share, x) => (at[y] < 0 || at[x] < 0 ? null : share - others[at[y]][at[x]])));
}

/** The numbers of the runs that are shown, in their order, each with its place and its button. */
async function readAll(card) {
  const shown = [...card.querySelectorAll("[data-url]")].flatMap((one) => {
    const button = buttons.find(({ dataset }) => dataset.run === one.dataset.run);
    return button.getAttribute("aria-pressed") === "true" ? [{ place: one, button }] : [];
  });
  return Promise.all(shown.map(async (one) => ({ ...one, data: await numbers(one.place.dataset.url) })));
}

async function numbers(url) {
  if (!read.has(url)) read.set(url, await fetchJson(url));
  return read.get(url);
}

function nameOf(button) {
  return button.firstElementChild.textContent;
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawBeside);
