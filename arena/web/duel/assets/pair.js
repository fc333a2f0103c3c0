// @ts-check
// The two clips of a battle and its source, if any: loaded, started and paused together, kept in step.

import { otherSide, SIDES } from "./sides.js";
import { Source } from "./source.js";
import { Synchronizer } from "./synchronizer.js";
import { WatchAccount } from "./watch-account.js";

/** @import { Battle } from "./api.js" */
/** @import { PerSide, Side } from "./sides.js" */

/** @typedef {Side | "source"} Part */

const SEEK_TIMEOUT_MS = 500;
const BUFFER_TOLERANCE_S = 0.1; // a container's duration may differ from its streams' by a frame or two

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
  account = new WatchAccount();
  /** The parts that reported an error. @type {Set<Part>} */
  failed = new Set();
  #synchronizer = new Synchronizer();
  #source;
  #loads = 0; // how many battles were loaded, to notice that another one took over

  /**
   * @param {PerSide<HTMLVideoElement>} videos whose addresses this object sets
   * @param {HTMLElement} sourceFrame where the source is shown
   * @param {{onFailure: (pair: Pair) => void}} options
   */
  constructor(videos, sourceFrame, { onFailure }) {
    this.videos = videos;
    /** @param {Part} part */
    const onError = (part) => {
      this.failed.add(part);
      onFailure(this);
    };
    this.#source = new Source(sourceFrame, { onError: () => onError("source") });
    for (const side of SIDES) {
      const video = videos[side];
      video.addEventListener("error", () => video.getAttribute("src") && onError(side));
    }
  }

  #both() {
    return SIDES.map((side) => this.videos[side]);
  }

  /** All players: both clips, and the source where it is a video. */
  #players() {
    return this.#source.video ? [...this.#both(), this.#source.video] : this.#both();
  }

  /** @param {Battle} battle */
  load(battle) {
    this.clear();
    this.battle = battle;
    this.#source.load(battle.prompt);
    for (const side of SIDES) {
      const video = this.videos[side];
      video.muted = true;
      video.src = battle[side].video;
      video.load();
    }
  }

  /**
   * Load one part again, after a failure.
   * @param {Part} part
   */
  reload(part) {
    this.failed.delete(part);
    if (part === "source") this.#source.reload();
    else this.videos[part].load();
  }

  clear() {
    this.pause();
    this.#loads += 1;
    this.account.reset();
    this.battle = null;
    this.audibleSide = null;
    this.failed.clear();
    this.#source.clear();
    for (const video of this.#both()) {
      if (!video.getAttribute("src")) continue;
      video.removeAttribute("src");
      video.load();
    }
  }

  /** @param {boolean} shown whether this is the battle on screen */
  setShown(shown) {
    this.#source.setShown(shown);
  }

  get isLoaded() {
    return this.#hasData(HTMLMediaElement.HAVE_ENOUGH_DATA);
  }

  /** Whether playback can begin, although it may have to wait for data later. */
  get canStart() {
    return this.#hasData(HTMLMediaElement.HAVE_FUTURE_DATA);
  }

  /** @param {number} readyState */
  #hasData(readyState) {
    return (
      this.failed.size === 0 &&
      this.#source.isLoaded(readyState) &&
      this.#both().every((video) => video.readyState >= readyState)
    );
  }

  /** A part that has failed or is not loaded yet. @returns {Part} */
  get pendingPart() {
    const [failed] = this.failed;
    if (failed) return failed;
    const enough = HTMLMediaElement.HAVE_ENOUGH_DATA;
    return SIDES.find((side) => this.videos[side].readyState < enough) ?? "source";
  }

  /** @param {Part} part @returns {string} */
  addressOf(part) {
    return (part === "source" ? this.battle?.prompt.source : this.battle?.[part].video) ?? "";
  }

  /** Changes while data arrive. */
  get loadProgress() {
    return this.#players()
      .map(({ buffered, readyState }) =>
        buffered.length > 0 ? buffered.end(buffered.length - 1) + readyState : readyState,
      )
      .join(" ");
  }

  /** Whether all data have arrived, so that others may use the connection. */
  get isBuffered() {
    return this.#players().every(
      ({ buffered, duration }) =>
        buffered.length > 0 && buffered.end(buffered.length - 1) >= duration - BUFFER_TOLERANCE_S,
    );
  }

  get hasEnded() {
    return this.#both().every((video) => video.ended);
  }

  get isBuffering() {
    return this.#synchronizer.buffering;
  }

  /** Milliseconds of each clip that must be watched before a vote; 0: none, null: not known yet. */
  get requiredMs() {
    return this.battle?.min_watch_ms ?? null;
  }

  /** Resolves when all parts can play through, one has failed, or time is up. @param {number} ms */
  async whenLoaded(ms) {
    if (this.isLoaded || this.failed.size > 0) return;
    const abort = new AbortController();
    const { signal } = abort;
    const ready = this.#both()
      .filter((video) => video.readyState !== HTMLMediaElement.HAVE_ENOUGH_DATA)
      .map((video) => once(video, "canplaythrough", signal));
    const failed = this.#both().map((video) => once(video, "error", signal));
    await Promise.race([
      Promise.all([...ready, this.#source.whenLoaded(signal)]),
      ...failed,
      this.#source.whenFailed(signal),
      sleep(ms),
    ]);
    abort.abort();
  }

  /** Play all from the first frame. Rejects where the browser wants a gesture before sound. */
  async restart() {
    this.pause();
    const load = this.#loads;
    await Promise.all(
      this.#players()
        .filter((video) => video.currentTime !== 0 || video.ended)
        .map((video) => {
          const seeked = once(video, "seeked");
          video.currentTime = 0;
          return Promise.race([seeked, sleep(SEEK_TIMEOUT_MS)]);
        }),
    );
    if (load !== this.#loads) return;
    this.account.rewind();
    await this.resume();
  }

  async resume() {
    this.#applySound();
    this.isPlaying = true;
    this.#synchronizer.reset();
    try {
      const pending = this.#players().filter((video) => !video.ended);
      await Promise.all(pending.map((video) => video.play()));
    } catch (error) {
      if (error instanceof DOMException && error.name === "AbortError") return; // paused meanwhile
      this.pause();
      throw error;
    }
  }

  pause() {
    this.isPlaying = false;
    for (const video of this.#players()) {
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

  /**
   * Called on every animation frame: account for what was played and keep the players in step.
   * @param {(side: Side) => boolean} isVisible
   */
  tick(isVisible) {
    const { requiredMs } = this;
    for (const side of SIDES) {
      const audible = side === this.audibleSide;
      const visible = isVisible(side);
      this.account.sample(side, this.videos[side], { audible, visible, requiredMs });
    }
    if (!this.isPlaying) return;
    const { video: source } = this.#source;
    if (this.hasEnded) source?.pause();
    const leader = this.audibleSide ?? "a";
    const others = source ? [source] : [];
    this.#synchronizer.update(this.videos[leader], this.videos[otherSide(leader)], ...others);
  }
}
