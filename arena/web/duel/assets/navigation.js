// @ts-check
// The ways from the vote page to other tracks and pages.

/** @import { Track } from "./api.js" */

const MAX_WAYS = 3;
const STREAMLIT_TEMPLATE = "template#streamlit";

/** Load Streamlit, which the vote page's HTML only holds ready, once. */
function startStreamlit() {
  const template = document.querySelector(STREAMLIT_TEMPLATE);
  if (!(template instanceof HTMLTemplateElement)) return;
  document.head.append(template.content);
  template.remove();
}

/**
 * Start Streamlit when the voter turns to a link to another page, until `signal` aborts.
 * @param {HTMLElement} root
 * @param {AbortSignal} signal
 */
export function prepareOtherPages(root, signal) {
  for (const event of ["pointerover", "focusin"]) {
    root.addEventListener(
      event,
      ({ target }) => {
        if (target instanceof Element && target.closest("a[data-page]:not([data-page=''])")) {
          startStreamlit();
        }
      },
      { signal },
    );
  }
}

/**
 * Open another page of the arena. Streamlit changes pages without loading anything again, but only
 * while it is connected; otherwise the browser follows the link.
 * @param {HTMLAnchorElement} link
 * @param {MouseEvent} event
 */
export function openPage(link, event) {
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  const connected = document.querySelector(
    '[data-testid="stApp"][data-test-connection-state="CONNECTED"]',
  );
  const links = connected?.querySelectorAll('[data-testid="stTopNavLink"]') ?? [];
  const streamlitLink = [...links].find(
    (other) => other instanceof HTMLAnchorElement && other.href === link.href,
  );
  if (!(streamlitLink instanceof HTMLElement) || !link.dataset.page) return;
  event.preventDefault();
  streamlitLink.click();
}

/**
 * Buttons for the tracks that may still have pairs for the voter.
 * @param {Track[]} tracks
 * @param {Track} current
 * @param {ReadonlySet<string>} exhausted names of tracks without pairs
 * @returns {HTMLElement[]}
 */
export function otherTracks(tracks, current, exhausted) {
  return tracks
    .filter(({ name }) => name !== current.name && !exhausted.has(name))
    .slice(0, MAX_WAYS)
    .map(({ name, label }) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "way";
      button.dataset.track = name;
      button.textContent = `Vote on: ${label}`;
      return button;
    });
}
