// @ts-check
// The first image or source video of a battle's prompt, beside the two clips. It is always muted.

/** @import { Prompt } from "./api.js" */

const LABELS = { image: "First image", video: "Source video" };

export class Source {
  #frame;
  #onError;
  /** @type {HTMLImageElement | HTMLVideoElement | null} */
  #element = null;

  /**
   * @param {HTMLElement} frame
   * @param {{onError: () => void}} options
   */
  constructor(frame, { onError }) {
    this.#frame = frame;
    this.#onError = onError;
  }

  /** The player, where the source is a video. */
  get video() {
    return this.#element instanceof HTMLVideoElement ? this.#element : null;
  }

  /** @param {Prompt} prompt */
  load({ source, source_type }) {
    this.clear();
    if (!source) return;
    const kind = source_type ?? "image";
    const element = document.createElement(kind === "video" ? "video" : "img");
    element.className = "source-media";
    if (element instanceof HTMLVideoElement) {
      Object.assign(element, { muted: true, playsInline: true, preload: "auto", tabIndex: -1 });
      element.disablePictureInPicture = true;
      element.setAttribute("aria-label", LABELS[kind]);
    } else {
      element.alt = LABELS[kind];
      element.decoding = "async";
    }
    element.addEventListener("error", () => element === this.#element && this.#onError());
    element.src = source;
    this.#element = element;
    this.#frame.append(element);
  }

  reload() {
    const element = this.#element;
    if (element instanceof HTMLVideoElement) element.load();
    else if (element) element.src = `${element.src.split("#")[0]}#${Date.now()}`;
  }

  clear() {
    const element = this.#element;
    this.#element = null;
    if (element instanceof HTMLVideoElement) {
      element.removeAttribute("src");
      element.load();
    }
    element?.remove();
  }

  /** @param {boolean} shown */
  setShown(shown) {
    this.#element?.classList.toggle("front", shown);
  }

  /** @param {number} readyState that a video must have reached */
  isLoaded(readyState) {
    const element = this.#element;
    if (element instanceof HTMLVideoElement) return element.readyState >= readyState;
    return element === null || (element.complete && element.naturalWidth > 0);
  }

  /** @param {AbortSignal} signal @returns {Promise<unknown>} */
  async whenLoaded(signal) {
    if (this.isLoaded(HTMLMediaElement.HAVE_ENOUGH_DATA)) return;
    await this.#event(this.video ? "canplaythrough" : "load", signal);
  }

  /** @param {AbortSignal} signal @returns {Promise<unknown>} */
  whenFailed(signal) {
    return this.#event("error", signal);
  }

  /** @param {string} name @param {AbortSignal} signal @returns {Promise<unknown>} */
  #event(name, signal) {
    return new Promise((resolve) =>
      this.#element?.addEventListener(name, resolve, { once: true, signal }),
    );
  }
}

/** @param {Prompt} prompt @returns {HTMLElement} its source, to be shown large and by itself */
export function largeSource({ source, source_type }) {
  const kind = source_type ?? "image";
  const element = document.createElement(kind === "video" ? "video" : "img");
  element.className = "large";
  element.src = source ?? "";
  if (element instanceof HTMLVideoElement) {
    const played = { muted: true, playsInline: true, loop: true, autoplay: true };
    Object.assign(element, played);
    element.setAttribute("aria-label", LABELS[kind]);
  } else element.alt = LABELS[kind];
  return element;
}

/** @param {Prompt | undefined} prompt @returns {string} what the source is called, "" for none */
export const sourceLabel = (prompt) =>
  prompt?.source ? LABELS[prompt.source_type ?? "image"] : "";
