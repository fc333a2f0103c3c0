// @ts-check
// The arena's HTTP API, as far as the vote page uses it.

/** @import { PerSide, Side } from "./sides.js" */

/** @typedef {"a" | "b" | "tie" | "bad" | "skip"} Choice */

/**
 * @typedef {object} Track
 * @property {string} name
 * @property {string} label the name as pages show it
 * @property {string} modality
 * @property {boolean} audio
 * @property {number} width
 * @property {number} height
 * @property {boolean} active
 */

/**
 * @typedef {object} Prompt
 * @property {string} text
 * @property {string | null} [source] URL of the first image or source video
 * @property {"image" | "video" | null} [source_type]
 * @property {number | null} [source_width]
 * @property {number | null} [source_height]
 */

/**
 * @typedef {object} Battle
 * @property {string} token
 * @property {Prompt} prompt
 * @property {{video: string}} a
 * @property {{video: string}} b
 * @property {number} min_watch_ms 0: no minimum
 * @property {Battle | null} next prefetched, so that its clips can load
 */

/**
 * @typedef {object} Ballot
 * @property {Choice} choice
 * @property {PerSide<number>} watched_ms
 * @property {PerSide<number>} heard_ms
 * @property {Side} [first] the side that was audible first
 * @property {boolean} [picture_only] the voter cannot hear, and judged the pictures
 */

/** @typedef {{name: string, creator: string | null, rating: number | null}} RevealedSide */

/**
 * @typedef {object} VoteResult
 * @property {Choice} choice
 * @property {string} receipt
 * @property {{rule: string, reason: string} | null} [hold] why the vote is held, if it is
 * @property {PerSide<RevealedSide> | null} reveal
 * @property {Battle | null} next
 */

/**
 * @typedef {object} OwnVote
 * @property {number} vote_id
 * @property {string} receipt
 * @property {string} track
 * @property {string} prompt
 * @property {Choice} choice
 * @property {string} cast_at ISO 8601, UTC
 * @property {"counted" | "held" | "skipped"} status
 * @property {{rule: string, reason: string} | null} hold why it is held; null: it is not held
 * @property {[string, string] | null} models left and right; null while names are hidden
 */

/** @typedef {{votes: number, skips: number}} Contribution what the voter contributed so far */

/** The arena's address: this module is served as BASE_URL/assets/VERSION/api.js. */
export const BASE_URL = new URL("../../", import.meta.url);
const API = `${BASE_URL.pathname}api/v1`;
const REQUEST_TIMEOUT_MS = 15_000;
export const MAX_REASON_LENGTH = 200;

/** An error response (RFC 9457); status 0 means that no response arrived. */
export class ApiError extends Error {
  /**
   * @param {number} status
   * @param {string} type
   * @param {string} detail
   * @param {number | null} [retryAfterS]
   */
  constructor(status, type, detail, retryAfterS = null) {
    super(detail);
    this.status = status;
    this.type = type;
    this.retryAfterS = retryAfterS;
  }

  /** Whether the same request may succeed later. */
  get isTransient() {
    return this.status === 0 || this.status >= 500;
  }
}

/** The API client. Every method rejects with an ApiError. */
export class Api {
  #fetch;

  /** @param {typeof globalThis.fetch} [fetch] */
  constructor(fetch = globalThis.fetch.bind(globalThis)) {
    this.#fetch = fetch;
  }

  /** @returns {Promise<Track[]>} */
  listTracks() {
    return this.#request("GET", "/tracks");
  }

  /**
   * The voter's open battle in a track; a new one where none is open.
   * @param {string} track
   * @returns {Promise<Battle>}
   */
  issueBattle(track) {
    return this.#request("POST", "/battles", { track, category: null });
  }

  /**
   * @param {string} token
   * @param {Ballot} ballot
   * @returns {Promise<VoteResult>}
   */
  castVote(token, ballot) {
    return this.#request("POST", `/battles/${encodeURIComponent(token)}/vote`, ballot);
  }

  /**
   * Withdraw a vote, for ten seconds, where no names were shown.
   * @param {string} token
   * @returns {Promise<{status: string}>}
   */
  withdrawVote(token) {
    return this.#request("DELETE", `/battles/${encodeURIComponent(token)}/vote`);
  }

  /**
   * Report that a clip or the source of a battle cannot be played. The battle is then void.
   * @param {string} token
   * @param {Side | "source"} side
   * @param {string} reason
   * @returns {Promise<{next: Battle | null}>}
   */
  reportBroken(token, side, reason) {
    return this.#request("POST", `/battles/${encodeURIComponent(token)}/broken`, {
      side,
      reason: reason.slice(0, MAX_REASON_LENGTH),
    });
  }

  /** @returns {Promise<Contribution>} */
  getContribution() {
    return this.#request("GET", "/me");
  }

  /**
   * The voter's votes, latest first.
   * @param {number | null} before only votes with smaller numbers
   * @returns {Promise<{votes: OwnVote[], before: number | null}>}
   */
  listVotes(before) {
    return this.#request("GET", before === null ? "/me/votes" : `/me/votes?before=${before}`);
  }

  /**
   * Delete this browser's voter. The votes stay, without a voter.
   * @returns {Promise<{votes: number}>}
   */
  leave() {
    return this.#request("DELETE", "/me");
  }

  /**
   * Whether the voter's cookie comes back: two requests of one voter get the same open battle.
   * @param {string} track
   */
  async hasCookie(track) {
    if (globalThis.navigator?.cookieEnabled === false) return false;
    const first = await this.issueBattle(track);
    const second = await this.issueBattle(track);
    return first.token === second.token;
  }

  /**
   * @param {"GET" | "POST" | "DELETE"} method
   * @param {string} path
   * @param {unknown} [body]
   */
  async #request(method, path, body) {
    let response;
    try {
      response = await this.#fetch(API + path, {
        method,
        body: body === undefined ? undefined : JSON.stringify(body),
        headers: body === undefined ? {} : { "Content-Type": "application/json" },
        credentials: "same-origin",
        cache: "no-store",
        keepalive: method === "POST",
        signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
      });
    } catch {
      throw new ApiError(0, "offline", "The arena cannot be reached.");
    }
    const document = await response.json().catch(() => null);
    if (response.ok && document !== null) return document;
    const retryAfterS = Number.parseInt(response.headers.get("Retry-After") ?? "", 10);
    throw new ApiError(
      response.ok ? 502 : response.status,
      String(document?.type ?? "").replace(/^.*\//, ""),
      document?.detail ?? "The arena sent an unreadable response.",
      Number.isFinite(retryAfterS) ? retryAfterS : null,
    );
  }
}
