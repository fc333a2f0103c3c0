// @ts-check
// Stand-ins for the browser's storage, timers and players.

/** @returns {import("../../arena/web/duel/assets/storage.js").KeyValueStorage} */
export function memoryStorage() {
  /** @type {Map<string, string>} */
  const values = new Map();
  return {
    getItem: (name) => values.get(name) ?? null,
    setItem: (name, value) => {
      values.set(name, value);
    },
    removeItem: (name) => {
      values.delete(name);
    },
    key: (index) => [...values.keys()][index] ?? null,
    get length() {
      return values.size;
    },
  };
}

/** Timers that end when the test says so. */
export class ManualTimers {
  /** @type {number[]} */
  delaysMs = [];
  /** @type {(() => void)[]} */
  #ends = [];

  /** @param {number} ms @returns {Promise<void>} */
  sleep = (ms) => {
    this.delaysMs.push(ms);
    return new Promise((resolve) => this.#ends.push(resolve));
  };

  /** End every timer that runs, and let what waited for it happen. */
  async elapse() {
    for (const end of this.#ends.splice(0)) end();
    await settle();
  }
}

/** Let all promises that can settle do so. */
export const settle = () => new Promise((resolve) => setImmediate(resolve));

/** A player whose time advances when the test says so. */
export class FakePlayer {
  currentTime = 0;
  playbackRate = 1;
  readyState = 4;
  ended = false;
  seeking = false;
  paused = false;

  async play() {
    this.paused = false;
  }

  pause() {
    this.paused = true;
  }

  /** @param {number} seconds of real time */
  advance(seconds) {
    if (!this.paused) this.currentTime += seconds * this.playbackRate;
  }
}
