// @ts-check
// Withdraws the last vote, for ten seconds, where no names were shown after it.

/** @import { ApiError } from "./api.js" */

export const WITHDRAW_S = 10; // as the arena has it
const WITHDRAWN = "Your last vote was withdrawn: it is kept, and does not count.";

export class Withdrawal {
  #withdraw;
  #show;
  #onStatus;
  #onWithdrawn;
  #setTimer;
  /** @type {string | null} */
  #token = null;
  #left = 0;
  /** Counts the offers, so that the timer of an earlier one ends. */
  #offer = 0;

  /**
   * @param {object} dependencies
   * @param {(token: string) => Promise<unknown>} dependencies.withdraw
   * @param {(label: string | null) => void} dependencies.show the button's label; null hides it
   * @param {(text: string, kind?: "warning") => void} dependencies.onStatus
   * @param {() => void} dependencies.onWithdrawn
   * @param {(done: () => void, ms: number) => unknown} [dependencies.setTimer]
   */
  constructor({ withdraw, show, onStatus, onWithdrawn, setTimer = setTimeout }) {
    this.#withdraw = withdraw;
    this.#show = show;
    this.#onStatus = onStatus;
    this.#onWithdrawn = onWithdrawn;
    this.#setTimer = setTimer;
  }

  /**
   * A vote was stored, and no names were shown.
   * @param {string} token of its battle
   */
  offer(token) {
    this.#offer += 1;
    this.#token = token;
    this.#left = WITHDRAW_S;
    this.#tick(this.#offer);
  }

  /** @param {number} offer */
  #tick(offer) {
    if (offer !== this.#offer || this.#token === null) return;
    if (this.#left <= 0) {
      this.end();
      return;
    }
    this.#show(`Withdraw last vote (${this.#left} s)`);
    this.#left -= 1;
    this.#setTimer(() => this.#tick(offer), 1_000);
  }

  /** The last vote cannot be withdrawn any more. */
  end() {
    this.#token = null;
    this.#show(null);
  }

  /** Withdraw the vote on offer, if there is one. */
  async run() {
    const token = this.#token;
    if (token === null) return;
    this.end();
    try {
      await this.#withdraw(token);
    } catch (error) {
      this.#onStatus(/** @type {ApiError} */ (error).message, "warning");
      return;
    }
    this.#onWithdrawn();
    this.#onStatus(WITHDRAWN);
  }
}
