// @ts-check
// Full screen: the clips and little else. Where the browser has no full screen for pages (iPhone),
// the page is laid out in the same way within its window.

/** @import { View } from "./view.js" */

export class FullScreen {
  isOn = false;
  #view;
  #onChange;

  /**
   * @param {View} view
   * @param {{onChange: () => void, signal: AbortSignal}} options
   */
  constructor(view, { onChange, signal }) {
    this.#view = view;
    this.#onChange = onChange;
    document.addEventListener(
      "fullscreenchange",
      () => this.#set(document.fullscreenElement !== null),
      { signal },
    );
  }

  toggle() {
    if (this.isOn) {
      this.#set(false);
      if (document.fullscreenElement) document.exitFullscreen().catch(() => {});
    } else {
      this.#set(true);
      // The whole document, so that dialogs and the theme stay as they are.
      document.documentElement.requestFullscreen?.().catch(() => {});
    }
  }

  /** @param {boolean} on */
  #set(on) {
    this.isOn = on;
    this.#view.setFullscreen(on);
    this.#onChange();
  }
}
