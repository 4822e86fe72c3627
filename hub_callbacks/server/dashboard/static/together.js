// Charts of one page move together: a hover marks the same epoch in all of them, a zoom shows the same epochs.

/** Join the plots that `all` returns; `onHover` is called with the epoch under the pointer and its plot, with null when
 * the pointer leaves. */
export function join(all, onHover) {
  let isEcho = false;
  const echo = (action) => {
    if (isEcho) return;
    isEcho = true;
    action();
    isEcho = false;
  };
  for (const plot of all()) {
    if (plot.dataset.joined) continue;
    plot.dataset.joined = "yes";
    const others = () => all().filter((other) => other !== plot && other.data);
    plot.on("plotly_hover", ({ points }) =>
      echo(() => {
        const epoch = points[0].x;
        for (const other of others()) Plotly.Fx.hover(other, { xval: epoch });
        onHover(epoch, plot);
      }),
    );
    plot.on("plotly_unhover", () =>
      echo(() => {
        for (const other of others()) Plotly.Fx.unhover(other);
        onHover(null);
      }),
    );
    plot.on("plotly_relayout", (change) => {
      const range = rangeOf(change);
      if (range === undefined) return;
      for (const other of others()) if (!isSame(other, range)) Plotly.relayout(other, range);
    });
  }
}

/** Whether the plot shows the range already: each change is told of again, by every plot that follows. */
function isSame({ layout }, range) {
  if (range["xaxis.autorange"]) return layout.xaxis.autorange !== false;
  return layout.xaxis.autorange === false && range["xaxis.range"].every((end, at) => layout.xaxis.range[at] === end);
}

function rangeOf(change) {
  if (change["xaxis.autorange"]) return { "xaxis.autorange": true, "yaxis.autorange": true };
  if (!("xaxis.range[0]" in change)) return undefined;
  return { "xaxis.range": [change["xaxis.range[0]"], change["xaxis.range[1]"]] };
}
