// The curves and the confusion matrix of the last validation, drawn from their numbers when the reader comes to them.

import { colour } from "./curves.js";
import { fetchJson } from "./poll.js";
import { open } from "./viewer.js";

const place = document.querySelector("[data-live=pictures]");
const PALETTE = ["--c0", "--c1", "--c2", "--c3", "--c4", "--c5"];
const PARTS = { B: "boxes", M: "masks", P: "poses" };
const CONFIG = { displaylogo: false, responsive: true, modeBarButtons: [["zoom2d", "pan2d", "resetScale2d", "toImage"]] };
const DRAWERS = { curves: drawCurves, matrix: drawMatrix };
const drawn = new Map(); // place of a drawing to {url, redraw}

const seen = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) if (isIntersecting) draw(target);
});

/** Draw the numbers of a card, unless they are drawn already. */
async function draw(card) {
  const { url, draw: kind } = card.dataset;
  if (drawn.get(card)?.url === url) return;
  drawn.set(card, { url, redraw: () => {} });
  try {
    const redraw = DRAWERS[kind](card, await fetchJson(url));
    drawn.set(card, { url, redraw });
    redraw();
  } catch (error) {
    drawn.delete(card);
    card.querySelector(".choices").textContent = error.message;
  }
}

/** The curves: a button for each, the chosen one drawn with the mean of all classes and a line for each class. */
function drawCurves(card, { curves }) {
  const parts = new Set(curves.map(({ title }) => partOf(title)));
  return choose(card, curves.map(({ title }) => nameOf(title, parts.size > 1)), (chosen) => {
    const { x, y, at, lines } = curves[chosen];
    const style = getComputedStyle(document.documentElement);
    const traces = lines.map(({ name, values }, index) => ({
      type: "scatter",
      mode: "lines",
      name,
      x: at,
      y: values,
      line: { color: colour(style, index ? PALETTE[(index - 1) % PALETTE.length] : "--text"), width: index ? 1 : 3 },
      hovertemplate: `%{fullData.name}<br>${x} %{x:.3f}, ${y} %{y:.3f}<extra></extra>`,
    }));
    const axis = { range: [0, 1.02], gridcolor: colour(style, "--grid"), zeroline: false, automargin: true };
    const own = { xaxis: { ...axis, title: { text: x } }, yaxis: { ...axis, title: { text: y } }, hovermode: "closest" };
    Plotly.react(card.querySelector(".plot"), traces, { ...layout(style), ...own }, CONFIG);
  });
}

/** The matrix: a column for each true class, a row for each predicted one; as shares of the true class, or as counts. */
function drawMatrix(card, { names, counts, classes }) {
  const sums = names.map((_, column) => counts.reduce((sum, row) => sum + row[column], 0));
  const shares = counts.map((row) => row.map((count, column) => (sums[column] ? count / sums[column] : 0)));
  return choose(card, ["Shares", "Counts"], (chosen) => {
    const style = getComputedStyle(document.documentElement);
    const trace = {
      type: "heatmap",
      x: names,
      y: names,
      z: chosen ? counts : shares,
      customdata: chosen ? shares : counts,
      colorscale: [[0, colour(style, "--surface")], [1, colour(style, "--c0")]],
      showscale: false,
      xgap: 1,
      ygap: 1,
      texttemplate: names.length <= 12 ? (chosen ? "%{z}" : "%{z:.2f}") : undefined,
      hovertemplate: `true %{x}<br>predicted %{y}<br>${chosen ? "%{z}, %{customdata:.1%}" : "%{customdata}, %{z:.1%}"}<extra></extra>`,
    };
    const left = classes > names.length ? ` (${names.length} of ${classes})` : "";
    const axis = { type: "category", automargin: true, showgrid: false, tickfont: { size: 11 } };
    const own = {
      xaxis: { ...axis, title: { text: `true class${left}` } },
      yaxis: { ...axis, title: { text: "predicted class" }, autorange: "reversed" },
    };
    Plotly.react(card.querySelector(".plot"), [trace], { ...layout(style), ...own }, CONFIG);
  });
}

/** Buttons, one of which is pressed; what draws the one that is. */
function choose(card, names, show) {
  let chosen = 0;
  const redraw = () => {
    buttons.forEach((button, index) => button.setAttribute("aria-pressed", index === chosen));
    show(chosen);
  };
  const buttons = names.map((name, index) => {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: name });
    button.addEventListener("click", () => {
      chosen = index;
      redraw();
    });
    return button;
  });
  card.querySelector(".choices").replaceChildren(...buttons);
  return redraw;
}

function layout(style) {
  return {
    autosize: true,
    margin: { l: 44, r: 8, t: 8, b: 40 },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: style.fontFamily || "system-ui, sans-serif", size: 12, color: colour(style, "--muted") },
    showlegend: false,
    modebar: { bgcolor: "rgba(0,0,0,0)", color: colour(style, "--muted"), activecolor: colour(style, "--text") },
    dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom",
  };
}

function partOf(title) {
  return PARTS[title.match(/\((\w)\)$/)?.[1]] ?? "";
}

function nameOf(title, isPartSaid) {
  const name = title.replace(/\(\w\)$/, "");
  return isPartSaid && partOf(title) ? `${name}, ${partOf(title)}` : name;
}

function look() {
  for (const card of place.querySelectorAll("[data-draw]")) {
    seen.unobserve(card); // so that it is told of again, if its numbers are new
    seen.observe(card);
  }
}

place.addEventListener("click", (event) => {
  const link = event.target.closest("[data-picture]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  open([...place.querySelectorAll("[data-picture]")], link);
});
new MutationObserver(look).observe(place, { childList: true, subtree: true, attributeFilter: ["data-url"] });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const { redraw } of drawn.values()) redraw();
});
look();
