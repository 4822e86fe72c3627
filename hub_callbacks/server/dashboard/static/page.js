// What every page does: the reader's own time, copying, and "/" for the search.

/** Put times that the server wrote in UTC into the reader's own time zone. */
export function localiseTimes(root) {
  for (const time of root.querySelectorAll("time[data-local]")) {
    const text = new Date(time.dateTime).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
    if (time.dataset.local === "text") time.textContent = text;
    else time.title = text;
  }
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(button.dataset.copy);
  button.classList.add("copied");
  button.addEventListener("pointerleave", () => button.classList.remove("copied"), { once: true });
});

document.addEventListener("keydown", (event) => {
  const search = document.getElementById("q");
  if (event.key !== "/" || !search || event.target.closest("input, textarea")) return;
  event.preventDefault();
  search.select();
});

// A menu is one of <details>: it works with scripts off; with them it also closes by itself.
function closeMenus(keep) {
  for (const menu of document.querySelectorAll("details.menu[open]")) if (menu !== keep) menu.open = false;
}
document.addEventListener("click", ({ target }) => closeMenus(target.closest?.("details.menu")));
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  document.querySelector("details.menu[open] summary")?.focus();
  closeMenus();
});

localiseTimes(document);
