import { draw, Rows } from "./curves.js";
import { morph } from "./morph.js";
import { localiseTimes } from "./page.js";
import { fetchJson, poll } from "./poll.js";

const live = document.getElementById("live");
const rows = new Rows();
let drawn = "";

async function update() {
  let reply = await ask(Math.max(0, rows.lastEpoch)); // the last row too: a later validation may rewrite it
  if (reply.received !== rows.count) {
    rows.clear(); // late rows filled a gap behind us
    reply = await ask(0);
  }
  for (const part of document.querySelectorAll("[data-live]")) morph(part, reply.html[part.dataset.live]);
  localiseTimes(live);
  drawChanges(JSON.stringify([reply.received, reply.rows]));
  return reply;
}

async function ask(since) {
  const reply = await fetchJson(`${live.dataset.url}?since=${since}`);
  rows.add(reply.rows);
  return reply;
}

function drawChanges(news) {
  if (news !== drawn) drawAll();
  drawn = news;
}

function drawAll() {
  for (const card of live.querySelectorAll(".chart")) draw(card, rows);
}

live.addEventListener("click", (event) => {
  const button = event.target.closest("[data-metric]");
  if (!button) return;
  button.setAttribute("aria-pressed", button.getAttribute("aria-pressed") !== "true");
  draw(button.closest(".chart"), rows);
});

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
poll(update);
