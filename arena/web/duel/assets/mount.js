// @ts-check
// Opens and closes the duel. The vote page's HTML imports this module and does without Streamlit;
// Streamlit's component calls `mount` when it comes to the vote page from another page.

import { BASE_URL } from "./api.js";
import { Duel } from "./duel.js";

const STYLES = ["theme.css", "duel.css", "stage.css"];
const OPEN_CLASS = "duel-open"; // on the root element: Streamlit's own elements are hidden

/** @type {Duel | null} */
let duel = null;

const isVotePage = () =>
  location.pathname.replace(/\/$/, "") === BASE_URL.pathname.replace(/\/$/, "");

/** Load the style sheets where the page's HTML did not, because it was another page's. */
async function loadStyles() {
  const missing = STYLES.map((name) => new URL(name, import.meta.url).href).filter(
    (url) => ![...document.styleSheets].some((sheet) => sheet.href === url),
  );
  await Promise.all(
    missing.map((href) => {
      const link = Object.assign(document.createElement("link"), { rel: "stylesheet", href });
      const loaded = new Promise((resolve) => {
        link.onload = resolve;
        link.onerror = resolve;
      });
      document.head.append(link);
      return loaded;
    }),
  );
}

async function openDuel() {
  await loadStyles();
  if (duel || !isVotePage()) return;
  document.documentElement.classList.add(OPEN_CLASS);
  duel = new Duel(document.body);
}

function closeDuel() {
  document.documentElement.classList.remove(OPEN_CLASS);
  duel?.close();
  duel = null;
}

/**
 * Called by Streamlit when the vote page is shown; again whenever its theme or data change.
 * @returns {() => void} called when the vote page is left
 */
export function mount() {
  openDuel();
  // Streamlit also removes its component when its server restarts: the duel then goes on.
  return () => setTimeout(() => !isVotePage() && closeDuel());
}

openDuel();
