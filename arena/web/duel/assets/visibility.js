// @ts-check
// Which clips can be seen: in the window, on a page that is not hidden, and not covered.

import { SIDES } from "./sides.js";

/** @import { PerSide } from "./sides.js" */

// A clip counts as seen while this share of its frame is in the window. The rest allows for rounding
// and for the end of a swipe.
export const VISIBLE_SHARE = 0.75;

export class Visibility {
  /** @type {PerSide<boolean>} */
  #inWindow = { a: false, b: false };
  /** Whether something, such as the whole prompt, covers the clips. */
  covered = false;

  /**
   * Observe both frames until `signal` aborts.
   * @param {PerSide<Element>} frames
   * @param {{onChange: () => void, signal: AbortSignal}} options
   */
  constructor(frames, { onChange, signal }) {
    const observer = new IntersectionObserver(
      (entries) => {
        for (const { target, intersectionRatio } of entries) {
          const side = SIDES.find((name) => frames[name] === target);
          if (side) this.#inWindow[side] = intersectionRatio >= VISIBLE_SHARE;
        }
        onChange();
      },
      { threshold: [0, VISIBLE_SHARE, 1] },
    );
    for (const side of SIDES) observer.observe(frames[side]);
    signal.addEventListener("abort", () => observer.disconnect());
  }

  /** @param {import("./sides.js").Side} side */
  isVisible(side) {
    return this.#inWindow[side] && !this.covered && document.visibilityState === "visible";
  }
}
