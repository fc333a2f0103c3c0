// @ts-check
// Keeps two players in step: small drift by playback rate, large drift by seeking, and both wait
// while either buffers.

/**
 * @typedef {Pick<HTMLMediaElement, "currentTime" | "playbackRate" | "readyState" | "ended" |
 *   "seeking" | "play" | "pause">} Player
 */

const HAVE_FUTURE_DATA = 3; // HTMLMediaElement.HAVE_FUTURE_DATA
export const NUDGE_START_S = 0.03; // drift from which the rate is changed
export const NUDGE_STOP_S = 0.008; // drift below which it is normal again
export const NUDGE_RATE = 0.05; // by how much playback is slower or faster
export const SEEK_S = 0.25; // drift that a rate cannot correct quickly enough

export class Synchronizer {
  #nudging = false;
  #buffering = false;

  /** Whether both players are paused until both have data. */
  get buffering() {
    return this.#buffering;
  }

  reset() {
    this.#nudging = false;
    this.#buffering = false;
  }

  /**
   * Called on every animation frame while both should play. Only the follower's rate changes: the
   * leader is the audible player, where a change of rate could be heard.
   * @param {Player} leader
   * @param {Player} follower
   */
  update(leader, follower) {
    if (leader.ended || follower.ended) {
      follower.playbackRate = 1;
      return;
    }
    this.#updateBuffering([leader, follower]);
    if (this.#buffering) return;
    const driftS = follower.currentTime - leader.currentTime;
    if (Math.abs(driftS) > SEEK_S) {
      follower.currentTime = leader.currentTime;
      this.#nudging = false;
    } else if (Math.abs(driftS) > NUDGE_START_S) {
      this.#nudging = true;
    } else if (Math.abs(driftS) < NUDGE_STOP_S) {
      this.#nudging = false;
    }
    const rate = this.#nudging ? 1 - Math.sign(driftS) * NUDGE_RATE : 1;
    if (follower.playbackRate !== rate) follower.playbackRate = rate;
    if (leader.playbackRate !== 1) leader.playbackRate = 1;
  }

  /** @param {Player[]} players */
  #updateBuffering(players) {
    const starved = players.some(
      (player) => player.readyState < HAVE_FUTURE_DATA && !player.seeking,
    );
    if (starved && !this.#buffering) {
      for (const player of players) player.pause();
    } else if (!starved && this.#buffering) {
      for (const player of players) player.play().catch(() => {});
    }
    this.#buffering = starved;
  }
}
