// @ts-check
// Clicks on the vote page's buttons and clips, and its list of tracks.

import { prepareOtherPages } from "./navigation.js";

/** @import { Choice } from "./api.js" */
/** @import { KeyInput } from "./keys.js" */
/** @import { Side } from "./sides.js" */

/** @typedef {{choice?: Choice, side?: Side}} Detail what an input is about */

/**
 * Listen until `signal` aborts.
 * @param {HTMLElement} root
 * @param {object} options
 * @param {(input: KeyInput | "cannotHear", detail?: Detail) => void} options.onInput
 * @param {(side: Side) => void} options.onShow
 * @param {(track: string) => void} options.onTrack
 * @param {AbortSignal} options.signal
 */
export function listenToPointer(root, { onInput, onShow, onTrack, signal }) {
  /** @param {DOMStringMap} data of the button @returns {boolean} whether it means something */
  const press = ({ choice, sound, show, track, input }) => {
    if (choice) onInput("choice", { choice: /** @type {Choice} */ (choice) });
    else if (sound) onInput("sound", { side: /** @type {Side} */ (sound) });
    else if (show) onShow(/** @type {Side} */ (show));
    else if (track) onTrack(track);
    else if (input) onInput(/** @type {KeyInput} */ (input));
    else return false;
    return true;
  };
  /** @param {MouseEvent} event */
  const onClick = (event) => {
    if (!(event.target instanceof Element)) return;
    const button = event.target.closest("button");
    if (button && event.detail > 0) button.blur(); // or Space would press it again, not pause
    // A vote that is not possible yet is answered with what is missing.
    if (button?.getAttribute("aria-disabled") === "true" && !button.dataset.choice) return;
    if (button && press(button.dataset)) return;
    if (event.target.closest(".frame")) onInput("clip");
  };
  root.addEventListener("click", onClick, { signal });
  prepareOtherPages(root, signal);
  root.addEventListener(
    "change",
    ({ target }) => target instanceof HTMLSelectElement && onTrack(target.value),
    { signal },
  );
}
