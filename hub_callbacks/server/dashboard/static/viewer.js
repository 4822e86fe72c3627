// A picture at its full size, over the page: arrows lead to the others, Escape and a click beside it lead back.

const viewer = document.getElementById("viewer");
const picture = viewer.querySelector("img");
const caption = viewer.querySelector("p");
let links = [];
let at = 0;

/** Show the picture of one of the links. */
export function open(all, link) {
  links = all;
  show(all.indexOf(link));
  viewer.showModal();
}

function show(index) {
  at = (index + links.length) % links.length;
  const thumbnail = links[at].querySelector("img");
  picture.src = links[at].href;
  picture.alt = thumbnail.alt;
  picture.width = thumbnail.getAttribute("width");
  picture.height = thumbnail.getAttribute("height");
  caption.textContent = `${thumbnail.alt} (${at + 1} of ${links.length})`;
}

const STEPS = { ArrowLeft: -1, ArrowRight: 1 };

viewer.addEventListener("keydown", (event) => {
  if (event.key in STEPS) show(at + STEPS[event.key]);
});
viewer.addEventListener("click", ({ target }) => {
  const step = target.closest("[data-step]");
  if (step) show(at + Number(step.dataset.step));
  else if (target !== picture && target !== caption) viewer.close();
});
viewer.addEventListener("close", () => links[at]?.focus());
