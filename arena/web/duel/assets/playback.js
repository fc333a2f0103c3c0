// @ts-check
// How the pair on screen plays: started, paused, repeated, and which side is heard and shown.

import { missingStatus } from "./error-screens.js";
import { PHASES } from "./phases.js";
import { otherSide, SIDES } from "./sides.js";
import { load } from "./storage.js";

/** @import { Pair } from "./pair.js" */
/** @import { Phase } from "./phases.js" */
/** @import { Ballot, Choice } from "./api.js" */
/** @import { PerSide, Side } from "./sides.js" */
/** @import { View } from "./view.js" */
/** @import { Visibility } from "./visibility.js" */

const HOLD_MS = 450; // the last frame is held before both clips start again
const STALLED_MS = 12_000; // without data for longer than this, the cause is looked for
const START_LABEL = "Play both clips";

/** @param {number} ms */
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const reducedMotion = window.matchMedia("(prefers-reduced-motion: reduce)");
const randomSide = () => SIDES[crypto.getRandomValues(new Uint8Array(1))[0] & 1];

/**
 * What the playback needs to know of the page.
 * @typedef {object} Context
 * @property {() => Pair} pair on screen
 * @property {() => Phase} phase
 * @property {(phase: Phase) => void} setPhase
 * @property {() => "silent" | "sound" | "cannotHear"} soundMode
 * @property {() => boolean} isSwiped whether one clip is shown at a time
 * @property {() => void} onStalled
 */

export class Playback {
  /** @type {Side | null} */
  firstAudible = null;
  #soundChosen = false; // by the voter: the sound then alternates only to what was not heard yet
  /** @type {Side} */
  #shownSide = "a"; // where one clip is shown at a time
  #restarting = false;
  /** @type {number | null} */
  #stalledSince = null;
  #view;
  #visibility;
  #context;

  /**
   * @param {View} view
   * @param {Visibility} visibility
   * @param {Context} context
   */
  constructor(view, visibility, context) {
    this.#view = view;
    this.#visibility = visibility;
    this.#context = context;
  }

  get #pair() {
    return this.#context.pair();
  }

  get mustHear() {
    return this.#context.soundMode() === "sound";
  }

  /** Whether both clips were seen, and heard where they have sound and the voter can hear. */
  get isComplete() {
    const { battle, account } = this.#pair;
    return battle !== null && account.isComplete({ heard: this.mustHear });
  }

  /** What is still to be watched or heard. */
  get missing() {
    const { account } = this.#pair;
    return missingStatus((side, sense) => account.has(side, sense), this.mustHear);
  }

  /** Another battle is on screen. */
  reset() {
    this.firstAudible = null;
    this.#soundChosen = false;
    this.#stalledSince = null;
    this.#shownSide = "a";
    if (this.#context.isSwiped()) this.#view.showSide("a");
    this.showSound();
  }

  showSound() {
    this.#view.setSound(this.#pair.audibleSide, this.#context.soundMode());
  }

  /**
   * Play both from the first frame. Without a gesture the browser may refuse sound: then a muted
   * preview plays.
   * @param {{gesture: boolean}} options
   */
  async start({ gesture }) {
    const pair = this.#pair;
    this.#view.setStartButton(null);
    if (reducedMotion.matches && !gesture) {
      this.#view.setStartButton(START_LABEL);
      this.#context.setPhase("preview");
      return;
    }
    if (this.mustHear) {
      this.firstAudible = this.#context.isSwiped() ? this.#shownSide : randomSide();
      pair.setAudible(this.firstAudible);
    }
    pair.account.counting = true;
    try {
      await pair.restart();
    } catch {
      if (pair === this.#pair) await this.#preview(pair);
      return;
    }
    if (pair !== this.#pair || this.#context.phase() === "sent") return;
    this.showSound();
    this.#view.setPaused(false);
    this.#context.setPhase("watching");
    this.#view.setStatus(this.#watchStatus());
    this.update();
  }

  #watchStatus() {
    if (this.#view.root.matches(".unlabelled") && !load("hasVoted", false)) {
      return "Blind test: two models, one prompt. Which video is better?";
    }
    const mode = this.#context.soundMode();
    if (mode === "cannotHear") return "Picture only: watch both clips to the end, then vote.";
    if (mode === "sound") return "Watch and listen to both clips to the end, then vote.";
    return "Watch both clips to the end, then vote.";
  }

  /** @param {Pair} pair */
  async #preview(pair) {
    this.firstAudible = null;
    pair.account.counting = false;
    pair.setAudible(null);
    this.showSound();
    this.#context.setPhase("preview");
    this.#view.setStartButton(this.mustHear ? "Start with sound" : START_LABEL);
    this.#view.setStatus("Muted preview. Click or press Space to start from the beginning.");
    await pair.restart().catch(() => {});
  }

  /** Called on every animation frame. */
  tick() {
    const pair = this.#pair;
    pair.tick((side) => this.#visibility.isVisible(side));
    const { account, requiredMs } = pair;
    for (const side of SIDES) {
      for (const sense of /** @type {const} */ (["watched", "heard"])) {
        const share = account.counting ? account.share(side, requiredMs, sense) : 0;
        this.#view.setProgress(side, sense, share);
      }
    }
    this.#view.root.classList.toggle("buffering", pair.isBuffering);
    this.#noticeStall(pair);
    this.update();
    if (pair.isPlaying && pair.hasEnded && !this.#restarting) this.#playAgain(pair);
  }

  /** The voter can vote once both were seen and heard, and no longer if hearing is asked again. */
  update() {
    const phase = this.#context.phase();
    if (phase === "watching" && this.isComplete) {
      this.#context.setPhase("ready");
      this.#view.setStatus("You can vote now. Which clip is better?", "prompt");
    } else if (phase === "ready" && !this.isComplete) {
      this.#context.setPhase("watching");
      this.#view.setStatus(this.#watchStatus());
    }
  }

  /** @param {Pair} pair */
  #noticeStall(pair) {
    if (!pair.isPlaying || !pair.isBuffering) this.#stalledSince = null;
    else this.#stalledSince ??= performance.now();
    if (this.#stalledSince !== null && performance.now() - this.#stalledSince > STALLED_MS) {
      this.#stalledSince = null;
      this.#context.onStalled();
    }
  }

  /**
   * Both have ended: play them again, now with the other side's sound, or with the other clip shown.
   * @param {Pair} pair
   */
  async #playAgain(pair) {
    if (reducedMotion.matches) {
      pair.pause();
      this.#view.setPaused(true);
      return;
    }
    this.#restarting = true;
    await sleep(HOLD_MS);
    this.#restarting = false;
    if (pair !== this.#pair || !pair.isPlaying || !pair.hasEnded) return;
    this.#alternate(pair);
    await pair.restart().catch(() => {});
  }

  /**
   * Turn to the other side where the voter has not chosen one, or has not seen or heard it yet.
   * @param {Pair} pair
   */
  #alternate(pair) {
    const current = this.#context.isSwiped() ? this.#shownSide : pair.audibleSide;
    if (!current) return;
    const other = otherSide(current);
    const isMissing =
      !pair.account.has(other, "watched") || (this.mustHear && !pair.account.has(other, "heard"));
    if (this.#soundChosen && !(isMissing && this.#isDone(pair, current))) return;
    this.#turnTo(other);
  }

  /** @param {Pair} pair @param {Side} side */
  #isDone({ account }, side) {
    return account.has(side, "watched") && (!this.mustHear || account.has(side, "heard"));
  }

  /** @param {Side} side */
  #turnTo(side) {
    if (this.#context.isSwiped()) {
      this.#shownSide = side;
      this.#view.showSide(side);
    }
    if (this.mustHear && this.#pair.account.counting) this.#pair.setAudible(side);
    this.showSound();
  }

  /** The voter has swiped: the clip that is shown is the one to hear. */
  onVisibilityChange() {
    if (!this.#context.isSwiped()) return;
    const visible = SIDES.filter((side) => this.#visibility.isVisible(side));
    if (visible.length !== 1 || visible[0] === this.#shownSide) return;
    this.#shownSide = visible[0];
    this.#soundChosen = true;
    if (this.mustHear && this.#pair.audibleSide) this.#pair.setAudible(this.#shownSide);
    this.showSound();
  }

  /** @param {Side} side shown next, where one clip is shown at a time */
  show(side) {
    this.#soundChosen = true;
    this.#turnTo(side);
  }

  /** @param {Side} [side] the one to listen to; by default the one that is muted */
  switchSound(side = this.#pair.audibleSide === "a" ? "b" : "a") {
    if (!this.mustHear) return;
    this.#soundChosen = true;
    this.#turnTo(side);
    this.#view.setStatus(
      this.isComplete ? this.missing : `You now hear clip ${side.toUpperCase()}.`,
    );
  }

  /** The voter's ability to hear, or the track, has changed. */
  onSoundModeChange() {
    const pair = this.#pair;
    const phase = this.#context.phase();
    if (!this.mustHear) pair.setAudible(null);
    this.showSound();
    if (phase === "preview") this.start({ gesture: true });
    else if (phase === "watching" || phase === "ready") {
      if (this.mustHear) {
        this.firstAudible ??= randomSide();
        this.#turnTo(this.#context.isSwiped() ? this.#shownSide : this.firstAudible);
      }
      this.#view.setStatus(this.isComplete ? this.missing : this.#watchStatus());
      this.update();
    }
  }

  togglePause() {
    const pair = this.#pair;
    if (pair.isPlaying) pair.pause();
    else if (pair.hasEnded) {
      this.#alternate(pair);
      pair.restart().catch(() => {});
    } else pair.resume().catch(() => {});
    this.#view.setPaused(!pair.isPlaying);
  }

  /**
   * Pause where that is possible, because the clips cannot be seen.
   * @returns {boolean} whether they were playing
   */
  pauseWhileHidden() {
    const canPause = PHASES[this.#context.phase()].actions.pause === "togglePause";
    if (!this.#pair.isPlaying || !canPause) return false;
    this.togglePause();
    return true;
  }

  /**
   * The vote as it is sent; times as measured, in whole milliseconds.
   * @param {Choice} choice
   * @returns {Ballot}
   */
  ballot(choice) {
    const { watchedMs, heardMs } = this.#pair.account;
    /** @param {PerSide<number>} ms */
    const rounded = ({ a, b }) => ({ a: Math.round(a), b: Math.round(b) });
    return {
      choice,
      watched_ms: rounded(watchedMs),
      heard_ms: rounded(heardMs),
      ...(this.firstAudible ? { first: this.firstAudible } : {}),
      ...(this.#context.soundMode() === "cannotHear" ? { picture_only: true } : {}),
    };
  }

  replay() {
    this.#pair.restart().catch(() => {});
    this.#view.setPaused(false);
  }
}
