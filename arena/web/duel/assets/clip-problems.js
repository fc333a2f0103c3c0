// @ts-check
// Why a clip does not load: the connection, the arena, or the clip itself. Only the clip itself is a
// reason to drop the battle.

import { BASE_URL } from "./api.js";

/** @import { Pair, Part } from "./pair.js" */

/** @typedef {"ok" | "offline" | "unavailable" | "network" | `HTTP ${number}`} Finding */
/** @typedef {{part: Part, reason: string, status: number}} BrokenPart */

const PATIENCE_MS = 8_000; // a clip that does not load faster is started with what it has
const PROBE_TIMEOUT_MS = 10_000;
const HEALTH_TIMEOUT_MS = 5_000;
export const MAX_RELOADS = 2; // of a clip that the arena sends but the browser does not load
const RETRY_MS = [1_000, 2_000, 4_000, 8_000];
const UNAVAILABLE = [408, 425, 429, 502, 503, 504]; // the arena, not this clip
const H264 = 'video/mp4; codecs="avc1.42E01E, mp4a.40.2"';

/** Whether the browser can play the format of all clips. */
export const canPlayClips = () => document.createElement("video").canPlayType(H264) !== "";

/**
 * Find out how the arena answers a request for a clip.
 * @param {string} url
 * @param {typeof globalThis.fetch} [fetch]
 * @returns {Promise<Finding>}
 */
export async function probeClip(url, fetch = globalThis.fetch.bind(globalThis)) {
  try {
    const response = await fetch(url, {
      headers: { Range: "bytes=0-0" },
      cache: "no-store",
      signal: AbortSignal.timeout(PROBE_TIMEOUT_MS),
    });
    await response.body?.cancel();
    if (response.ok) return "ok";
    return UNAVAILABLE.includes(response.status) ? "unavailable" : `HTTP ${response.status}`;
  } catch {
    const signal = AbortSignal.timeout(HEALTH_TIMEOUT_MS);
    const health = await fetch(new URL("healthz", BASE_URL).href, {
      cache: "no-store",
      signal,
    }).catch(() => null);
    return health?.ok ? "network" : "offline";
  }
}

/**
 * Wait until the pair can play. Resolves to null then, to the broken part where waiting cannot help,
 * and to "replaced" where another battle took over.
 * @param {Pick<Pair, "whenLoaded" | "isLoaded" | "canStart" | "failed" | "pendingPart" |
 *   "addressOf" | "loadProgress" | "reload">} pair
 * @param {object} dependencies
 * @param {() => boolean} dependencies.isCurrent
 * @param {(url: string) => Promise<Finding>} dependencies.probe
 * @param {(ms: number) => Promise<unknown>} dependencies.sleep ends earlier when the browser is
 *   online again
 * @param {(finding: Finding) => void} dependencies.onWait called before each wait for the connection
 * @returns {Promise<BrokenPart | "replaced" | null>}
 */
export async function waitUntilPlayable(pair, { isCurrent, probe, sleep, onWait }) {
  /** @type {Map<Part, number>} */
  const reloads = new Map();
  let waits = 0;

  /** @param {Part} part @param {Finding} finding @returns {Promise<BrokenPart | null>} */
  const react = async (part, finding) => {
    if (finding === "offline" || finding === "unavailable") {
      onWait(finding);
      await sleep(RETRY_MS[Math.min(waits, RETRY_MS.length - 1)]);
      waits += 1;
      return null;
    }
    const status = Number(finding.replace("HTTP ", "")) || 0;
    const count = (reloads.get(part) ?? 0) + 1;
    reloads.set(part, count);
    if (status > 0 || count > MAX_RELOADS) {
      return { part, reason: describe(finding, pair.failed.has(part)), status };
    }
    if (finding === "network") await sleep(RETRY_MS[count - 1]);
    return null;
  };

  for (let progress = ""; ; ) {
    await pair.whenLoaded(PATIENCE_MS);
    if (!isCurrent()) return "replaced";
    if (pair.isLoaded || pair.canStart) return null;
    const isProgressing = pair.failed.size === 0 && pair.loadProgress !== progress;
    progress = pair.loadProgress;
    if (isProgressing) continue;
    const part = pair.pendingPart;
    const broken = await react(part, await probe(pair.addressOf(part)));
    if (!isCurrent()) return "replaced";
    if (broken) return broken;
    pair.reload(part);
  }
}

/** @param {Finding} finding @param {boolean} failed */
function describe(finding, failed) {
  if (finding === "ok") return failed ? "cannot be decoded" : "stalled while loading";
  return finding === "network" ? "the connection broke off" : finding;
}
