// The curves and the confusion matrix of the last validation, drawn from their numbers when the reader comes to them.

import { colour } from "./curves.js";
import { choose, CONFIG, curveAxes, drawCells, layout, namesOf, sharesOf } from "./drawings.js";
import { fetchJson } from "./poll.js";
import { open } from "./viewer.js";

const place = document.querySelector("[data-live=pictures]");
const PALETTE = ["--c0", "--c1", "--c2", "--c3", "--c4", "--c5"];
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
  return choose(card, namesOf(curves.map(({ title }) => title)), (chosen) => {
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
    const own = { ...layout(style), ...curveAxes(style, x, y), hovermode: "closest" };
    Plotly.react(card.querySelector(".plot"), traces, own, CONFIG);
  });
}

/** The matrix: as shares of the true class, or as counts. */
function drawMatrix(card, matrix) {
  const shares = sharesOf(matrix);
  return choose(card, ["Shares", "Counts"], (chosen) => {
    const [z, more] = chosen ? [matrix.counts, shares] : [shares, matrix.counts];
    const hover = chosen ? "%{z}, %{customdata:.1%}" : "%{customdata}, %{z:.1%}";
    drawCells(card.querySelector(".plot"), matrix, { z, more, form: chosen ? "" : ":.2f", hover });
  });
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
