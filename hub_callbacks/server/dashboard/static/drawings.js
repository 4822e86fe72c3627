// What the drawings of the last validation have in common, on the page of a run and on the one that compares runs.

import { colour } from "./curves.js";

export const CONFIG = {
  displaylogo: false,
  responsive: true,
  modeBarButtons: [["zoom2d", "pan2d", "resetScale2d", "toImage"]],
};
const PARTS = { B: "boxes", M: "masks", P: "poses" };
const NAMED_UP_TO = 12; // classes whose cells still have room for a number

/** Buttons, one of which is pressed; what draws the one that is. */
export function choose(card, names, show) {
  const place = card.querySelector(".choices");
  let chosen = Math.max(0, names.indexOf(place.querySelector("[aria-pressed=true]")?.textContent));
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
  const focused = [...place.children].indexOf(document.activeElement);
  place.replaceChildren(...buttons);
  buttons[focused]?.focus();
  return redraw;
}

/** The names of curves such as "Precision-Recall(B)", for buttons: of what they are is said where there are several. */
export function namesOf(titles) {
  const parts = new Set(titles.map(partOf));
  return titles.map((title) => {
    const name = title.replace(/\(\w\)$/, "");
    return parts.size > 1 && partOf(title) ? `${name}, ${partOf(title)}` : name;
  });
}

function partOf(title) {
  return PARTS[title.match(/\((\w)\)$/)?.[1]] ?? "";
}

/** The axes of a curve from 0 to 1. */
export function curveAxes(style, x, y) {
  const axis = { range: [0, 1.02], gridcolor: colour(style, "--grid"), zeroline: false, automargin: true };
  return { xaxis: { ...axis, title: { text: x } }, yaxis: { ...axis, title: { text: y } } };
}

/** Counts of a confusion matrix as shares of the true class, which is a column. */
export function sharesOf({ counts, names }) {
  const sums = names.map((_, column) => counts.reduce((sum, row) => sum + row[column], 0));
  return counts.map((row) => row.map((count, column) => (sums[column] ? count / sums[column] : 0)));
}

/** Draw a confusion matrix: a column for each true class, a row for each predicted one. {z} are the cells' values,
 * {form} how their numbers are written, {hover} what a cell says, with {more} as its other value. */
export function drawCells(place, { names, classes }, { z, more, form, hover, isDifference = false }) {
  const style = getComputedStyle(document.documentElement);
  const [none, heat, cold] = ["--surface", "--heat", "--cold"].map((name) => colour(style, name));
  const trace = {
    type: "heatmap",
    x: names,
    y: names,
    z,
    customdata: more,
    colorscale: isDifference ? [[0, cold], [0.5, none], [1, heat]] : [[0, none], [1, heat]],
    ...(isDifference ? { zmin: -1, zmax: 1 } : {}),
    showscale: false,
    xgap: 1,
    ygap: 1,
    texttemplate: names.length <= NAMED_UP_TO ? `%{z${form}}` : undefined,
    textfont: { color: colour(style, "--text") },
    hovertemplate: `true %{x}<br>predicted %{y}<br>${hover}<extra></extra>`,
  };
  const left = classes > names.length ? ` (${names.length} of ${classes})` : "";
  const axis = { type: "category", automargin: true, showgrid: false, tickfont: { size: 11 } };
  const own = {
    xaxis: { ...axis, title: { text: `true class${left}` } },
    yaxis: { ...axis, title: { text: "predicted class" }, autorange: "reversed" },
  };
  Plotly.react(place, [trace], { ...layout(style), ...own }, CONFIG);
}

export function layout(style) {
  return {
    autosize: true,
    margin: { l: 44, r: 8, t: 8, b: 40 },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: style.fontFamily || "system-ui, sans-serif", size: 12, color: colour(style, "--muted") },
    showlegend: false,
    hoverlabel: {
      bgcolor: colour(style, "--surface"),
      bordercolor: colour(style, "--line"),
      font: { color: colour(style, "--text") },
    },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: colour(style, "--muted"), activecolor: colour(style, "--text") },
    dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom",
  };
}
