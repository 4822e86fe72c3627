// The rows of a run, and its curves drawn from them. A value that is not finite is a gap; so is an epoch without a row.

const MARKERS_UP_TO = 40; // points in a curve that are still marked one by one

/** The rows that arrived so far, by epoch; a row that comes again replaces the old one. */
export class Rows {
  #rows = new Map();

  get count() {
    return this.#rows.size;
  }

  get lastEpoch() {
    return Math.max(-1, ...this.#rows.keys());
  }

  clear() {
    this.#rows.clear();
  }

  /** Take in {epochs, values: {metric: [number | "NaN" | null]}}: a word is not finite, null was not measured. */
  add({ epochs, values }) {
    epochs.forEach((epoch, index) => {
      const row = Object.entries(values).map(([metric, column]) => [metric, column[index]]);
      this.#rows.set(epoch, new Map(row.filter(([, value]) => value !== null)));
    });
  }

  /** The points of one metric, epochs counted from 1 as Ultralytics prints them; y is null at a gap. */
  curve(metric) {
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
}

/** Draw the chart of one card: its buttons name the metrics, and a pressed one shows its curve. */
export function draw(card, rows) {
  const plot = card.querySelector(".plot");
  const buttons = [...card.querySelectorAll("[data-metric]")];
  const curves = buttons.map((button) => ({ button, ...rows.curve(button.dataset.metric) }));
  Plotly.react(plot, curves.map(toTrace), layout(curves), CONFIG);
  sayNotFinite(card.querySelector(".not-finite"), [...new Set(curves.flatMap((curve) => curve.notFinite))]);
}

const CONFIG = {
  displaylogo: false,
  responsive: true,
  modeBarButtons: [["zoom2d", "pan2d", "resetScale2d", "toImage"]], // not "Share chart": it sends the data to a cloud
};

function toTrace({ button, x, y }) {
  const style = getComputedStyle(button);
  const hasMarkers = x.length <= MARKERS_UP_TO || y.some((_, index) => isAlone(y, index));
  return {
    type: "scatter",
    mode: hasMarkers ? "lines+markers" : "lines",
    name: button.firstChild.textContent.trim(),
    x,
    y,
    connectgaps: false,
    visible: button.getAttribute("aria-pressed") === "true",
    line: { color: colour(style, "--curve"), width: 2 },
    marker: { size: 4 },
    hovertemplate: "%{y:.5g}",
  };
}

function isAlone(y, index) {
  return y[index] !== null && (y[index - 1] ?? null) === null && (y[index + 1] ?? null) === null;
}

function layout(curves) {
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
    hovermode: "x unified",
    modebar: { bgcolor: "rgba(0,0,0,0)", color: colour(style, "--muted"), activecolor: colour(style, "--text") },
    hoverlabel: {
      bgcolor: colour(style, "--surface"),
      bordercolor: colour(style, "--line"),
      font: { color: colour(style, "--text") },
    },
    dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom", // a finger that scrolls must not zoom
    uirevision: "keep", // new rows leave the reader's zoom alone
    xaxis: {
      ...axis,
      ...(epochs <= 10 ? { tick0: 1, dtick: 1 } : {}),
      title: { text: "epoch", standoff: 6 },
      spikecolor: colour(style, "--muted"),
      spikethickness: 1,
      unifiedhovertitle: { text: "epoch %{x}" },
    },
    yaxis: axis,
  };
}

function colour(style, name) {
  return style.getPropertyValue(name).trim();
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
