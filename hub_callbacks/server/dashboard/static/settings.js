// How the reader likes the charts: kept in this browser, and used on every page with charts.

const KEY = "charts";
const USUAL = { smoothing: 0, log: false };

export const settings = { ...USUAL, ...read() };

function read() {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? "{}");
  } catch {
    return {};
  }
}

/** Join the controls above the charts to the settings; `changed` is called when one was used. */
export function control(bar, changed) {
  const smoothing = bar.querySelector("[name=smoothing]");
  const log = bar.querySelector("[name=log]");
  const shown = bar.querySelector(".reading");
  smoothing.value = settings.smoothing;
  log.checked = settings.log;
  shown.textContent = Number(smoothing.value).toFixed(2);
  bar.addEventListener("input", () => {
    settings.smoothing = Number(smoothing.value);
    settings.log = log.checked;
    shown.textContent = settings.smoothing.toFixed(2);
    localStorage.setItem(KEY, JSON.stringify(settings));
    changed();
  });
}
