// @ts-check
// Votes waiting to be delivered: sent in order, retried, and kept across page reloads.

import { ApiError } from "./api.js";
import { load, save } from "./storage.js";

/** @import { Ballot, VoteResult } from "./api.js" */
/** @import { KeyValueStorage } from "./storage.js" */

/** @typedef {{kind: "rate-limit" | "offline" | "unavailable", seconds: number}} Delay */

/**
 * @typedef {object} Entry
 * @property {string} token
 * @property {Ballot} vote
 * @property {(result: VoteResult) => void} [resolve]
 * @property {(error: unknown) => void} [reject]
 */

export const RETRY_MS = [1_000, 2_000, 4_000, 8_000, 15_000];
const RATE_LIMIT_RETRY_S = 5; // where the response gives no Retry-After
const TOO_EARLY_RETRY_S = 1;
const STORAGE_NAME = "outbox";

export class Outbox {
  #castVote;
  #sleep;
  #storage;
  #onDelay;
  #onDelivered;
  /** @type {Entry[]} */
  #entries;
  #running = false;
  /** @type {(() => void) | null} */
  #wake = null;

  /**
   * Votes found in storage are sent at once.
   * @param {object} dependencies
   * @param {(token: string, vote: Ballot) => Promise<VoteResult>} dependencies.castVote
   * @param {(ms: number) => Promise<unknown>} dependencies.sleep
   * @param {KeyValueStorage} dependencies.storage
   * @param {(delay: Delay) => void} dependencies.onDelay called before each retry that the voter should know of
   * @param {() => void} dependencies.onDelivered called when a delayed vote has its final response
   */
  constructor({ castVote, sleep, storage, onDelay, onDelivered }) {
    this.#castVote = castVote;
    this.#sleep = sleep;
    this.#storage = storage;
    this.#onDelay = onDelay;
    this.#onDelivered = onDelivered;
    this.#entries = this.#restore();
    this.#run();
  }

  /**
   * Queue a vote. Rejects with an ApiError where a retry cannot help.
   * @param {string} token
   * @param {Ballot} vote
   * @returns {Promise<VoteResult>}
   */
  post(token, vote) {
    return new Promise((resolve, reject) => {
      this.#entries.push({ token, vote, resolve, reject });
      this.#save();
      this.#run();
    });
  }

  /** Retry now, without waiting for the timer. */
  retryNow() {
    this.#wake?.();
  }

  async #run() {
    if (this.#running) return;
    this.#running = true;
    for (let entry = this.#entries[0]; entry; entry = this.#entries[0]) {
      try {
        const result = await this.#deliver(entry);
        entry.resolve?.(result);
      } catch (error) {
        entry.reject?.(error);
      }
      this.#entries.shift();
      this.#save();
    }
    this.#running = false;
  }

  /** @param {Entry} entry */
  async #deliver({ token, vote }) {
    for (let attempt = 0; ; attempt += 1) {
      try {
        const result = await this.#castVote(token, vote);
        if (attempt > 0) this.#onDelivered();
        return result;
      } catch (error) {
        const delayMs = this.#retryDelayMs(error, vote, attempt);
        if (delayMs === null) {
          if (attempt > 0) this.#onDelivered();
          throw error;
        }
        const woken = new Promise((resolve) => {
          this.#wake = () => resolve(undefined);
        });
        await Promise.race([this.#sleep(delayMs), woken]);
        this.#wake = null;
      }
    }
  }

  /**
   * Milliseconds until the next attempt; null where another attempt cannot help.
   * @param {unknown} error
   * @param {Ballot} vote
   * @param {number} attempt
   */
  #retryDelayMs(error, vote, attempt) {
    if (!(error instanceof ApiError)) return null;
    if (error.status === 425) return (error.retryAfterS ?? TOO_EARLY_RETRY_S) * 1_000;
    if (error.status === 429 && vote.choice !== "skip") {
      const seconds = error.retryAfterS ?? RATE_LIMIT_RETRY_S;
      this.#onDelay({ kind: "rate-limit", seconds });
      return seconds * 1_000;
    }
    if (!error.isTransient) return null;
    const delayMs = RETRY_MS[Math.min(attempt, RETRY_MS.length - 1)];
    this.#onDelay({
      kind: error.status === 0 ? "offline" : "unavailable",
      seconds: delayMs / 1_000,
    });
    return delayMs;
  }

  #save() {
    const stored = this.#entries.map(({ token, vote }) => ({ token, vote }));
    save(STORAGE_NAME, stored.length > 0 ? stored : undefined, this.#storage);
  }

  /** @returns {Entry[]} */
  #restore() {
    /** @type {unknown} */
    const stored = load(STORAGE_NAME, null, this.#storage);
    return Array.isArray(stored) ? stored.filter((entry) => entry?.token && entry?.vote) : [];
  }
}
