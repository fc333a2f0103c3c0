// @ts-check
// Loaded by every page before Streamlit runs. It tells Streamlit where its server is, which would
// first be looked for below the page's own path, and says why a page stays empty.
// The usual cause is a proxy that does not pass on WebSockets, without which no content arrives; the
// vote page itself needs none.

const WAIT_MS = 10_000;
const CHECK_MS = 500;
const CONNECTED = '[data-testid="stApp"][data-test-connection-state="CONNECTED"]';
const VOTE_PAGE_CLASS = "duel-open";
const TEXT =
  "This page cannot connect to the arena. Reload it; if that does not help, a proxy between you " +
  "and the arena may not pass on WebSockets (the Upgrade header), which its operator can change.";

/** @returns {string} the arena's address, one level above the folder of this script */
function arenaUrl() {
  const script = /** @type {HTMLScriptElement} */ (document.currentScript);
  return new URL("..", script.src).href;
}

Object.assign(window, { __streamlit: { BACKEND_BASE_URL: arenaUrl() } });

/** @returns {boolean} */
function works() {
  const isVotePage = document.documentElement.classList.contains(VOTE_PAGE_CLASS);
  return isVotePage || document.querySelector(CONNECTED) !== null;
}

/** @returns {HTMLElement} */
function notice() {
  const element = document.createElement("p");
  element.id = "no-connection";
  element.setAttribute("role", "alert");
  element.textContent = TEXT;
  element.style.cssText =
    "position: fixed; z-index: 1000000; inset: 20vh 1rem auto; max-width: 34rem; margin: 0 auto; " +
    "padding: 1rem 1.2rem; border: 1px solid; border-radius: 10px; " +
    "background: Canvas; color: CanvasText; font: 17px/1.5 system-ui, sans-serif";
  return element;
}

setTimeout(() => {
  if (works()) return;
  const shown = notice();
  document.body.append(shown);
  const check = setInterval(() => {
    if (!works()) return;
    shown.remove();
    clearInterval(check);
  }, CHECK_MS);
}, WAIT_MS);
