// @ts-check
// Keeps players in step: small drift by playback rate, large drift by seeking, and all wait while
// any of them buffers.

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
  /** @type {Set<Player>} */
  #nudging = new Set();
  #buffering = false;

  /** Whether all players are paused until all have data. */
  get buffering() {
    return this.#buffering;
  }

  reset() {
    this.#nudging.clear();
    this.#buffering = false;
  }

  /**
   * Called on every animation frame while all should play. Only the followers' rates change: the
   * leader is the audible player, where a change of rate could be heard. A player that has ended
   * holds its last frame; once a clip has, the rest play to their ends.
   * @param {Player} leader
   * @param {Player} follower the other clip
   * @param {Player[]} others such as the source video
   */
  update(leader, follower, ...others) {
    if (leader.ended || follower.ended) {
      for (const player of [follower, ...others]) player.playbackRate = 1;
      return;
    }
    const followers = [follower, ...others.filter((player) => !player.ended)];
    this.#updateBuffering([leader, ...followers]);
    if (this.#buffering) return;
    for (const player of followers) this.#follow(leader, player);
    if (leader.playbackRate !== 1) leader.playbackRate = 1;
  }

  /** @param {Player} leader @param {Player} follower */
  #follow(leader, follower) {
    const driftS = follower.currentTime - leader.currentTime;
    if (Math.abs(driftS) > SEEK_S) {
      follower.currentTime = leader.currentTime;
      this.#nudging.delete(follower);
    } else if (Math.abs(driftS) > NUDGE_START_S) {
      this.#nudging.add(follower);
    } else if (Math.abs(driftS) < NUDGE_STOP_S) {
      this.#nudging.delete(follower);
    }
    const rate = this.#nudging.has(follower) ? 1 - Math.sign(driftS) * NUDGE_RATE : 1;
    if (follower.playbackRate !== rate) follower.playbackRate = rate;
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
