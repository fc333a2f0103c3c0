// @ts-check
// The arena's HTTP API, as far as the vote page uses it.

/** @import { PerSide, Side } from "./sides.js" */

/** @typedef {"a" | "b" | "tie" | "bad" | "skip"} Choice */

/**
 * @typedef {object} Track
 * @property {string} name
 * @property {string} label the name as pages show it
 * @property {boolean} audio
 * @property {number} width
 * @property {number} height
 * @property {boolean} active
 */

/**
 * @typedef {object} Battle
 * @property {string} token
 * @property {{text: string}} prompt
 * @property {{video: string}} a
 * @property {{video: string}} b
 * @property {number} min_watch_ms
 * @property {Battle | null} next prefetched, so that its clips can load
 */

/**
 * @typedef {object} Ballot
 * @property {Choice} choice
 * @property {PerSide<number>} watched_ms
 * @property {PerSide<number>} heard_ms
 * @property {Side} [first] the side that was audible first
 */

/** @typedef {{name: string, creator: string | null, rating: number | null}} RevealedSide */

/**
 * @typedef {object} VoteResult
 * @property {Choice} choice
 * @property {string} receipt
 * @property {PerSide<RevealedSide> | null} reveal
 * @property {Battle | null} next
 */

const API = "/api/v1";
const REQUEST_TIMEOUT_MS = 15_000;

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
   * @param {"GET" | "POST"} method
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
