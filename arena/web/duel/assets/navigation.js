// @ts-check
// The ways from the vote page to other tracks and pages.

/** @import { Track } from "./api.js" */

const MAX_WAYS = 3;
const STREAMLIT_TEMPLATE = "template#streamlit";

/** Fetch the files of Streamlit, which shows the other pages, so that these open quickly. */
function prefetchStreamlit() {
  const template = document.querySelector(STREAMLIT_TEMPLATE);
  if (!(template instanceof HTMLTemplateElement)) return;
  for (const element of template.content.querySelectorAll("script, link")) {
    const href = element.getAttribute("src") ?? element.getAttribute("href") ?? "";
    document.head.append(Object.assign(document.createElement("link"), { rel: "prefetch", href }));
  }
  template.remove();
}

/**
 * Prepare for another page when the voter turns to a link to it, until `signal` aborts.
 * @param {HTMLElement} root
 * @param {AbortSignal} signal
 */
export function prepareOtherPages(root, signal) {
  for (const event of ["pointerover", "focusin"]) {
    root.addEventListener(
      event,
      ({ target }) => {
        if (target instanceof Element && target.closest("a[data-page]:not([data-page=''])")) {
          prefetchStreamlit();
        }
      },
      { signal },
    );
  }
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
