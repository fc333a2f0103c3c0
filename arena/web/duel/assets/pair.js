// @ts-check
// The two clips of a battle: loaded, started and paused together, kept in step.

import { otherSide, SIDES } from "./sides.js";
import { Synchronizer } from "./synchronizer.js";
import { WatchAccount } from "./watch-account.js";

/** @import { Battle } from "./api.js" */
/** @import { PerSide, Side } from "./sides.js" */

const START_TIMEOUT_MS = 8_000; // a clip that does not buffer is started with what it has
const SEEK_TIMEOUT_MS = 500;

/**
 * @param {EventTarget} target
 * @param {string} event
 * @param {AbortSignal} [signal]
 */
const once = (target, event, signal) =>
  new Promise((resolve) => target.addEventListener(event, resolve, { once: true, signal }));

/** @param {number} ms */
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export class Pair {
  /** @type {Battle | null} */
  battle = null;
  /** @type {Side | null} */
  audibleSide = null;
  isPlaying = false;
  hasFailed = false;
  account = new WatchAccount();
  #synchronizer = new Synchronizer();
  #loads = 0; // how many battles were loaded, to notice that another one took over

  /** @param {PerSide<HTMLVideoElement>} videos whose sources this object sets */
  constructor(videos) {
    this.videos = videos;
    for (const video of this.#both()) {
      video.addEventListener("error", () => {
        if (video.getAttribute("src")) this.hasFailed = true;
      });
    }
  }

  #both() {
    return SIDES.map((side) => this.videos[side]);
  }

  /** @param {Battle} battle */
  load(battle) {
    this.clear();
    this.battle = battle;
    for (const side of SIDES) {
      const video = this.videos[side];
      video.muted = true;
      video.src = battle[side].video;
      video.load();
    }
  }

  clear() {
    this.pause();
    this.#loads += 1;
    this.account.reset();
    this.battle = null;
    this.audibleSide = null;
    this.hasFailed = false;
    for (const video of this.#both()) {
      video.removeAttribute("src");
      video.load();
    }
  }

  get isLoaded() {
    return this.#both().every((video) => video.readyState === HTMLMediaElement.HAVE_ENOUGH_DATA);
  }

  get hasEnded() {
    return this.#both().every((video) => video.ended);
  }

  get isBuffering() {
    return this.#synchronizer.buffering;
  }

  /** Milliseconds of each clip that must be watched before a vote. */
  get requiredMs() {
    const longestS = Math.max(0, ...this.#both().map((video) => video.duration || 0));
    return this.battle?.min_watch_ms || longestS * 1_000;
  }

  /**
   * Share of the required time that was watched on one side, 0 to 1.
   * @param {Side} side
   */
  watchedShare(side) {
    return this.account.share(side, this.requiredMs);
  }

  get isWatched() {
    return this.battle !== null && this.account.isComplete;
  }

  /** Resolves to true once both clips can play through, to false if another battle was loaded. */
  async whenLoaded() {
    const load = this.#loads;
    const abort = new AbortController();
    const ready = this.#both()
      .filter((video) => video.readyState !== HTMLMediaElement.HAVE_ENOUGH_DATA)
      .map((video) =>
        Promise.race([
          once(video, "canplaythrough", abort.signal),
          once(video, "error", abort.signal),
        ]),
      );
    await Promise.race([Promise.all(ready), sleep(START_TIMEOUT_MS)]);
    abort.abort();
    return load === this.#loads;
  }

  /** Play both from the first frame. Rejects where the browser wants a gesture before sound. */
  async restart() {
    this.pause();
    await Promise.all(
      this.#both()
        .filter((video) => video.currentTime !== 0 || video.ended)
        .map((video) => {
          const seeked = once(video, "seeked");
          video.currentTime = 0;
          return Promise.race([seeked, sleep(SEEK_TIMEOUT_MS)]);
        }),
    );
    this.account.rewind();
    await this.resume();
  }

  async resume() {
    this.#applySound();
    this.isPlaying = true;
    this.#synchronizer.reset();
    try {
      const pending = this.#both().filter((video) => !video.ended);
      await Promise.all(pending.map((video) => video.play()));
    } catch (error) {
      if (error instanceof DOMException && error.name === "AbortError") return; // paused meanwhile
      this.pause();
      throw error;
    }
  }

  pause() {
    this.isPlaying = false;
    for (const video of this.#both()) {
      video.pause();
      video.playbackRate = 1;
    }
    this.#synchronizer.reset();
  }

  /**
   * Make one side audible, or none.
   * @param {Side | null} side
   */
  setAudible(side) {
    this.audibleSide = side;
    this.#applySound();
  }

  #applySound() {
    for (const side of SIDES) this.videos[side].muted = side !== this.audibleSide;
  }

  /** Called on every animation frame: account for what was played and keep the clips in step. */
  tick() {
    const { requiredMs } = this;
    for (const side of SIDES) {
      const audible = side === this.audibleSide;
      this.account.sample(side, this.videos[side], { audible, requiredMs });
    }
    if (!this.isPlaying) return;
    const leader = this.audibleSide ?? "a";
    this.#synchronizer.update(this.videos[leader], this.videos[otherSide(leader)]);
  }
}
