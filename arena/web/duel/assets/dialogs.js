// @ts-check
// The help with the keys and settings, the whole prompt, and its source in large. They are modal
// dialogs: the browser keeps the focus inside, closes them with Escape, and gives the focus back.

/** @import { View } from "./view.js" */

/** @typedef {"keys" | "showNames" | "cannotHear"} Setting */

export class Dialogs {
  #view;

  /**
   * @param {View} view
   * @param {object} options
   * @param {(setting: Setting, on: boolean) => void} options.onSetting
   * @param {() => void} options.onOpen called before a dialog covers the clips
   * @param {() => void} options.onClose
   * @param {AbortSignal} options.signal
   */
  constructor(view, { onSetting, onOpen, onClose, signal }) {
    this.#view = view;
    this.onOpen = onOpen;
    for (const dialog of this.#all()) {
      dialog.addEventListener(
        "close",
        () => {
          for (const video of dialog.querySelectorAll("video")) video.pause();
          onClose();
        },
        { signal },
      );
      dialog.addEventListener(
        "click",
        // A click on the backdrop has the dialog itself as its target.
        (event) => event.target === dialog && dialog.close(),
        { signal },
      );
    }
    view.root.addEventListener(
      "change",
      ({ target }) => {
        if (!(target instanceof HTMLInputElement) || !target.dataset.setting) return;
        onSetting(/** @type {Setting} */ (target.dataset.setting), target.checked);
      },
      { signal },
    );
  }

  #all() {
    return [...this.#view.root.querySelectorAll("dialog")];
  }

  get isOpen() {
    return this.#all().some((dialog) => dialog.open);
  }

  /** @param {"help" | "whole-prompt" | "whole-source"} name */
  open(name) {
    const dialog = this.#view.find(`.${name}`);
    if (!(dialog instanceof HTMLDialogElement) || this.isOpen) return;
    this.onOpen();
    dialog.showModal();
  }

  close() {
    for (const dialog of this.#all()) if (dialog.open) dialog.close();
  }

  /** @param {Setting} setting @param {boolean} on */
  setSetting(setting, on) {
    const input = this.#view.find(`[data-setting=${setting}]`);
    if (input instanceof HTMLInputElement) input.checked = on;
  }
}
