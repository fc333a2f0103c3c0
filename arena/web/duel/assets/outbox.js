// @ts-check
// Votes waiting to be delivered: sent in order, retried, and kept across page reloads. Each vote is
// stored under a name of its own, so that several tabs never overwrite each other's votes. A vote
// that two tabs send is stored once: the arena answers the second request like the first.

import { ApiError } from "./api.js";
import { load, save, storedNames } from "./storage.js";

/** @import { Ballot, VoteResult } from "./api.js" */
/** @import { KeyValueStorage } from "./storage.js" */

/** @typedef {{kind: "rate-limit" | "offline" | "unavailable", seconds: number}} Delay */

/**
 * @typedef {object} Entry
 * @property {string} name of the stored vote
 * @property {number} postedAt milliseconds since the epoch
 * @property {string} token
 * @property {Ballot} vote
 * @property {(result: VoteResult) => void} [resolve]
 * @property {(error: unknown) => void} [reject]
 */

export const RETRY_MS = [1_000, 2_000, 4_000, 8_000, 15_000];
const RATE_LIMIT_RETRY_S = 5; // where the response gives no Retry-After
const TOO_EARLY_RETRY_S = 1;
const LIST_NAME = "outbox"; // one list of all votes, as stored by earlier versions
const ENTRY_PREFIX = "outbox.";

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
      const name = `${ENTRY_PREFIX}${token}.${Math.random().toString(36).slice(2)}`;
      const postedAt = Date.now();
      this.#entries.push({ name, postedAt, token, vote, resolve, reject });
      save(name, { postedAt, token, vote }, this.#storage);
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
      save(entry.name, undefined, this.#storage);
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

  /** @returns {Entry[]} */
  #restore() {
    /** @type {unknown} */
    const list = load(LIST_NAME, null, this.#storage);
    save(LIST_NAME, undefined, this.#storage);
    for (const [index, entry] of (Array.isArray(list) ? list : []).entries()) {
      save(`${ENTRY_PREFIX}${index}`, { postedAt: index, ...entry }, this.#storage);
    }
    /** @type {Entry[]} */
    const entries = [];
    for (const name of storedNames(ENTRY_PREFIX, this.#storage)) {
      const entry = load(name, /** @type {Entry | null} */ (null), this.#storage);
      if (entry?.token && entry.vote) entries.push({ ...entry, name });
      else save(name, undefined, this.#storage);
    }
    return entries.sort((one, other) => one.postedAt - other.postedAt);
  }
}
