// Asks the hub again and again, never while the page is hidden, and says so when the hub does not answer.

const SLOWEST_S = 300; // after this pause a run that has ended is not asked for again

/** Call `update` now, and then as long after each reply as it says; it returns {pause_s, is_live}.
 * What has ended is asked for ever more slowly, and once more whenever the reader comes back to the page. */
export function poll(update) {
  let timer;
  let slower = 1;

  async function turn() {
    const pause_s = await ask();
    clearTimeout(timer); // of another turn, begun when the reader came back meanwhile
    if (pause_s <= SLOWEST_S && !document.hidden) timer = setTimeout(turn, pause_s * 1000);
  }

  async function ask() {
    try {
      const { pause_s, is_live } = await update();
      say("");
      slower = is_live ? 1 : slower * 2;
      return pause_s * slower;
    } catch (error) {
      say(`${error.message} Trying again.`);
      return 5;
    }
  }

  document.addEventListener("visibilitychange", () => {
    slower = 1;
    if (!document.hidden) turn();
  });
  return turn();
}

/** The JSON reply of the hub; a reader who is signed out is sent to sign in. */
export async function fetchJson(url) {
  const reply = await fetch(url, { headers: { accept: "application/json" } }).catch(() => {
    throw new Error("The hub does not answer.");
  });
  if (reply.status === 401) location.reload();
  if (!reply.ok) throw new Error(`The hub answers ${reply.status}.`);
  return reply.json();
}

function say(text) {
  const place = document.getElementById("connection");
  if (place && place.textContent !== text) place.textContent = text;
}
