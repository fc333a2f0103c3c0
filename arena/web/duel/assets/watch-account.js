// @ts-check
// How much of each clip was watched and heard, in milliseconds of media time.

import { SIDES } from "./sides.js";

/** @import { PerSide, Side } from "./sides.js" */
/** @typedef {Pick<HTMLMediaElement, "currentTime" | "ended">} Playhead */

// A container may round a clip's duration by a frame or two, so a clip played to its end may fall
// short of the required time by this much. The server's rule, `arena.voting.limits`, has the same.
export const WATCH_TOLERANCE_MS = 100;
const SEEK_S = 0.5; // a larger step between two samples was a seek, not playback

export class WatchAccount {
  /** @type {PerSide<number>} */
  watchedMs = { a: 0, b: 0 };
  /** @type {PerSide<number>} */
  heardMs = { a: 0, b: 0 };
  /** Whether what plays counts: a muted preview does not. */
  counting = false;
  /** @type {PerSide<number>} */
  #position = { a: 0, b: 0 };
  /** @type {PerSide<boolean>} */
  #complete = { a: false, b: false };

  reset() {
    this.watchedMs = { a: 0, b: 0 };
    this.heardMs = { a: 0, b: 0 };
    this.counting = false;
    this.#complete = { a: false, b: false };
    this.rewind();
  }

  /** Both clips start again from their first frame. */
  rewind() {
    this.#position = { a: 0, b: 0 };
  }

  /**
   * Add what was played since the last sample of this side.
   * @param {Side} side
   * @param {Playhead} player
   * @param {{audible: boolean, requiredMs: number}} context
   */
  sample(side, player, { audible, requiredMs }) {
    const step = player.currentTime - this.#position[side];
    this.#position[side] = player.currentTime;
    if (!this.counting) return;
    if (step > 0 && step < SEEK_S) {
      this.watchedMs[side] += step * 1_000;
      if (audible) this.heardMs[side] += step * 1_000;
    }
    const toleranceMs = player.ended ? WATCH_TOLERANCE_MS : 0;
    if (requiredMs > 0 && this.watchedMs[side] >= requiredMs - toleranceMs) {
      this.#complete[side] = true;
    }
  }

  /**
   * Share of the required time that was watched on one side, 0 to 1.
   * @param {Side} side
   * @param {number} requiredMs
   */
  share(side, requiredMs) {
    if (this.#complete[side]) return 1;
    return requiredMs > 0 ? Math.min(1, this.watchedMs[side] / requiredMs) : 0;
  }

  /** Whether both clips were watched for the required time. */
  get isComplete() {
    return SIDES.every((side) => this.#complete[side]);
  }
}
