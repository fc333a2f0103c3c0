// @ts-check
// How much of each clip was seen and heard, in milliseconds of media time. Only what plays in a
// visible frame is seen, and only what plays audibly is heard.

import { SIDES } from "./sides.js";

/** @import { PerSide, Side } from "./sides.js" */
/** @typedef {Pick<HTMLMediaElement, "currentTime" | "ended">} Playhead */
/** @typedef {"watched" | "heard"} Sense */

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
  /** @type {Record<Sense, PerSide<boolean>>} */
  #complete = { watched: { a: false, b: false }, heard: { a: false, b: false } };

  reset() {
    this.watchedMs = { a: 0, b: 0 };
    this.heardMs = { a: 0, b: 0 };
    this.counting = false;
    this.#complete = { watched: { a: false, b: false }, heard: { a: false, b: false } };
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
   * @param {{audible: boolean, visible?: boolean, requiredMs: number | null}} context `requiredMs`
   *   is 0 where nothing is required and null where it is not known yet
   */
  sample(side, player, { audible, visible = true, requiredMs }) {
    const step = player.currentTime - this.#position[side];
    this.#position[side] = player.currentTime;
    if (!this.counting) return;
    const playedMs = step > 0 && step < SEEK_S ? step * 1_000 : 0;
    if (visible) this.watchedMs[side] += playedMs;
    if (visible && audible) this.heardMs[side] += playedMs;
    if (requiredMs === null) return;
    const enoughMs = requiredMs - (player.ended ? WATCH_TOLERANCE_MS : 0);
    if (this.watchedMs[side] >= enoughMs) this.#complete.watched[side] = true;
    // Where no time is required, a clip with sound must still have been heard at all.
    if (this.heardMs[side] >= Math.max(1, enoughMs)) this.#complete.heard[side] = true;
  }

  /**
   * Share of the required time that was watched, or heard, on one side, 0 to 1.
   * @param {Side} side
   * @param {number | null} requiredMs
   * @param {Sense} [sense]
   */
  share(side, requiredMs, sense = "watched") {
    if (this.#complete[sense][side]) return 1;
    const ms = sense === "watched" ? this.watchedMs[side] : this.heardMs[side];
    return requiredMs ? Math.min(1, ms / requiredMs) : 0;
  }

  /**
   * Whether one side was watched, or heard, for the required time.
   * @param {Side} side
   * @param {Sense} sense
   */
  has(side, sense) {
    return this.#complete[sense][side];
  }

  /**
   * Whether both clips were watched for the required time, and heard where that is asked.
   * @param {{heard?: boolean}} [options]
   */
  isComplete({ heard = false } = {}) {
    const { watched, heard: heardSides } = this.#complete;
    return SIDES.every((side) => watched[side] && (!heard || heardSides[side]));
  }
}
