// What the duel says to the arena: the HTTP API, and the votes that wait while it cannot be reached.

const API = "/api/v1";
const REQUEST_TIMEOUT_MS = 15_000;
const RETRY_MS = [1_000, 2_000, 4_000, 8_000, 15_000];
const OUTBOX_KEY = "hippodrome.outbox";

/** An answer that is not the one asked for; status 0 is no answer at all. */
export class Problem extends Error {
  constructor(status, type, detail, retryAfterS = null) {
    super(detail);
    this.status = status;
    this.type = type;
    this.retryAfterS = retryAfterS;
  }

  /** Whether asking again later can help without the voter doing anything. */
  get passing() {
    return this.status === 0 || this.status >= 500;
  }
}

async function call(method, path, body) {
  let response;
  try {
    response = await fetch(API + path, {
      method,
      body: body === undefined ? undefined : JSON.stringify(body),
      headers: body === undefined ? {} : { "Content-Type": "application/json" },
      credentials: "same-origin",
      cache: "no-store",
      keepalive: method === "POST",
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    });
  } catch {
    throw new Problem(0, "offline", "The arena cannot be reached.");
  }
  const answer = await response.json().catch(() => null);
  if (response.ok && answer !== null) return answer;
  const wait = Number.parseInt(response.headers.get("Retry-After"), 10);
  throw new Problem(
    response.ok ? 502 : response.status,
    String(answer?.type ?? "").split("/").pop(),
    answer?.detail ?? "The arena gave no readable answer.",
    Number.isFinite(wait) ? wait : null,
  );
}

export const listTracks = () => call("GET", "/tracks");
export const askBattle = (track) => call("POST", "/battles", { track, category: null });
const sendVote = (token, vote) =>
  call("POST", `/battles/${encodeURIComponent(token)}/vote`, vote);

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Votes on their way: sent in order, kept over reloads until the arena has answered each. */
export class Outbox {
  #entries;
  #running = false;
  #wake = null;

  /** `onTrouble({kind, seconds})` is called while a vote cannot be delivered, `onClear()` after. */
  constructor({ onTrouble, onClear }) {
    this.onTrouble = onTrouble;
    this.onClear = onClear;
    this.#entries = this.#restore();
    this.#run();
  }

  get waiting() {
    return this.#entries.length;
  }

  /** Resolves with the arena's answer; rejects with a Problem that waiting cannot cure. */
  post(token, vote) {
    return new Promise((resolve, reject) => {
      this.#entries.push({ token, vote, resolve, reject });
      this.#save();
      this.#run();
    });
  }

  /** Try again now: the network is back. */
  nudge() {
    this.#wake?.();
  }

  async #run() {
    if (this.#running) return;
    this.#running = true;
    while (this.#entries.length > 0) {
      const entry = this.#entries[0];
      try {
        entry.resolve?.(await this.#deliver(entry));
      } catch (problem) {
        entry.reject?.(problem);
      }
      this.#entries.shift();
      this.#save();
    }
    this.#running = false;
  }

  async #deliver({ token, vote }) {
    for (let attempt = 0; ; attempt += 1) {
      try {
        const answer = await sendVote(token, vote);
        if (attempt > 0) this.onClear();
        return answer;
      } catch (problem) {
        const wait = this.#waitFor(problem, vote, attempt);
        if (wait === null) {
          if (attempt > 0) this.onClear();
          throw problem;
        }
        await Promise.race([sleep(wait), new Promise((resolve) => (this.#wake = resolve))]);
        this.#wake = null;
      }
    }
  }

  /** Milliseconds until the next attempt, or null where another attempt cannot help. */
  #waitFor(problem, vote, attempt) {
    if (problem.status === 425) return (problem.retryAfterS ?? 1) * 1_000;
    if (problem.status === 429 && vote.choice !== "skip") {
      const seconds = problem.retryAfterS ?? 5;
      this.onTrouble({ kind: "limit", seconds });
      return seconds * 1_000;
    }
    if (!problem.passing) return null;
    const wait = RETRY_MS[Math.min(attempt, RETRY_MS.length - 1)];
    this.onTrouble({ kind: problem.status === 0 ? "offline" : "away", seconds: wait / 1_000 });
    return wait;
  }

  #save() {
    const kept = this.#entries.map(({ token, vote }) => ({ token, vote }));
    try {
      if (kept.length > 0) localStorage.setItem(OUTBOX_KEY, JSON.stringify(kept));
      else localStorage.removeItem(OUTBOX_KEY);
    } catch {
      // Private windows may refuse storage: the votes still wait in memory.
    }
  }

  #restore() {
    try {
      const kept = JSON.parse(localStorage.getItem(OUTBOX_KEY) ?? "[]");
      return Array.isArray(kept) ? kept.filter((entry) => entry?.token && entry?.vote) : [];
    } catch {
      return [];
    }
  }
}
