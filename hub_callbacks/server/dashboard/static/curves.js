// Curves drawn from rows. A value that is not finite is a gap; so is an epoch without a row.

import { settings } from "./settings.js";

export const DASHES = ["solid", "dash", "dot", "dashdot"]; // as in app.css
const MARKERS_UP_TO = 40; // points in a curve that are still marked one by one

/** The rows that arrived so far, by epoch; a row that comes again replaces the old one. */
export class Rows {
  #rows = new Map();
  #curves = new Map(); // made from the rows when first asked for

  get count() {
    return this.#rows.size;
  }

  get lastEpoch() {
    return Math.max(-1, ...this.#rows.keys());
  }

  clear() {
    this.#rows.clear();
    this.#curves.clear();
  }

  /** Take in {epochs, values: {metric: [number | "NaN" | null]}}: a word is not finite, null was not measured. */
  add({ epochs, values }) {
    this.#curves.clear();
    epochs.forEach((epoch, index) => {
      const row = Object.entries(values).map(([metric, column]) => [metric, column[index]]);
      this.#rows.set(epoch, new Map(row.filter(([, value]) => value !== null)));
    });
  }

  /** The points of one metric, epochs counted from 1 as Ultralytics prints them; y is null at a gap. */
  curve(metric) {
    if (!this.#curves.has(metric)) this.#curves.set(metric, this.#read(metric));
    return this.#curves.get(metric);
  }

  #read(metric) {
    const x = [];
    const y = [];
    const notFinite = [];
    let before = null;
    for (const epoch of [...this.#rows.keys()].sort((a, b) => a - b)) {
      const value = this.#rows.get(epoch).get(metric);
      if (x.length && before !== null && epoch > before + 1) {
        x.push(before + 2);
        y.push(null);
      }
      before = epoch;
      if (value === undefined) continue;
      x.push(epoch + 1);
      y.push(typeof value === "number" ? value : null);
      if (typeof value !== "number") notFinite.push(epoch + 1);
    }
    return { x, y, notFinite };
  }

  /** The epoch, counted from 1, with the greatest value of the metric; null without any. */
  best(metric) {
    const { x, y } = this.curve(metric);
    const top = y.reduce((best, value, index) => (value !== null && !(y[best] >= value) ? index : best), -1);
    return top < 0 ? null : x[top];
  }
}

/** A running mean whose weights fall with the distance, corrected at the beginning; a gap stays a gap. */
export function smooth(y, weight) {
  if (!weight) return y;
  let sum = 0;
  let weights = 0;
  return y.map((value) => {
    if (value === null) return null;
    sum = sum * weight + value * (1 - weight);
    weights = weights * weight + (1 - weight);
    return sum / weights;
  });
}

/** Draw curves of {name, colour, x, y, isShown, dash} in a place; {best} is an epoch to mark, {isCounted} their x. */
export function plot(place, curves, { best = null, hover = "none" } = {}) {
  const traces = curves.flatMap((curve) => toTraces(curve, hover));
  Plotly.react(place, traces, layout(curves, { best, hover }), CONFIG);
}

const CONFIG = {
  displaylogo: false,
  responsive: true,
  modeBarButtons: [["zoom2d", "pan2d", "resetScale2d", "toImage"]], // not "Share chart": it sends the data to a cloud
};

function toTraces(curve, hover) {
  const { name, colour, x, y, isShown = true, dash } = curve;
  const hasMarkers = x.length <= MARKERS_UP_TO || y.some((_, index) => isAlone(y, index));
  const trace = {
    type: "scatter",
    mode: hasMarkers ? "lines+markers" : "lines",
    name,
    x,
    y: smooth(y, settings.smoothing),
    connectgaps: false,
    visible: isShown,
    line: { color: colour, width: 2, dash },
    marker: { size: 4 },
    hoverinfo: hover === "none" ? "none" : undefined,
    hovertemplate: hover === "none" ? undefined : "%{y:.5g}",
  };
  if (!settings.smoothing) return [trace];
  const raw = { ...trace, y, mode: "lines", opacity: 0.25, line: { ...trace.line, width: 1 }, hoverinfo: "skip", hovertemplate: undefined };
  return [{ ...raw, name: `${name} as measured` }, trace];
}

function isAlone(y, index) {
  return y[index] !== null && (y[index - 1] ?? null) === null && (y[index + 1] ?? null) === null;
}

function layout(curves, { best, hover }) {
  const style = getComputedStyle(document.documentElement);
  const axis = { gridcolor: colour(style, "--grid"), zeroline: false, automargin: true, fixedrange: false };
  const epochs = Math.max(...curves.map(({ x }) => x.at(-1) ?? 0));
  return {
    autosize: true,
    margin: { l: 44, r: 8, t: 8, b: 36 },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: style.fontFamily || "system-ui, sans-serif", size: 12, color: colour(style, "--muted") },
    showlegend: false,
    hovermode: hover === "none" ? "x" : "x unified",
    modebar: { bgcolor: "rgba(0,0,0,0)", color: colour(style, "--muted"), activecolor: colour(style, "--text") },
    hoverlabel: {
      bgcolor: colour(style, "--surface"),
      bordercolor: colour(style, "--line"),
      font: { color: colour(style, "--text") },
    },
    dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom", // a finger that scrolls must not zoom
    uirevision: settings.log ? "log" : "linear", // new rows leave the reader's zoom alone
    shapes: best === null ? [] : [bestLine(style, best)],
    xaxis: {
      ...axis,
      ...(epochs <= 10 ? { tick0: 1, dtick: 1 } : {}),
      title: { text: "epoch", standoff: 6 },
      showspikes: true,
      spikemode: "across",
      spikesnap: "hovered data",
      spikedash: "solid",
      spikecolor: colour(style, "--muted"),
      spikethickness: 1,
      unifiedhovertitle: { text: "epoch %{x}" },
    },
    yaxis: { ...axis, type: settings.log ? "log" : "linear", ...(settings.log ? { nticks: 6 } : {}) },
  };
}

function bestLine(style, epoch) {
  const line = { color: colour(style, "--green"), width: 1.5, dash: "dot" };
  return { type: "line", xref: "x", yref: "paper", x0: epoch, x1: epoch, y0: 0, y1: 1, line };
}

export function colour(style, name) {
  return style.getPropertyValue(name).trim();
}
