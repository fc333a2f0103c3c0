// @ts-check
// What to do about a pair of which a part cannot be played.

import { ApiError } from "./api.js";
import { canPlayClips } from "./clip-problems.js";

/** @import { Api, Battle } from "./api.js" */
/** @import { BrokenPart } from "./clip-problems.js" */

/**
 * Why no clip can be played here, if that is so: then the clip is not to blame, nor to be reported.
 * @param {Pick<Api, "hasCookie">} api
 * @param {{track: string, status: number}} broken `status` of the clip's response, 0 for none
 * @returns {Promise<"format" | "cookie" | null>}
 */
export async function problemOfBrowser(api, { track, status }) {
  if (!canPlayClips()) return "format";
  // Clips are served to the voter whose cookie the request carries.
  if (status === 404 && !(await api.hasCookie(track))) return "cookie";
  return null;
}

/**
 * Report the part, which voids the battle.
 * @param {Pick<Api, "reportBroken">} api
 * @param {Battle} battle
 * @param {BrokenPart} broken
 * @returns {Promise<Battle | null>} the battle to show instead; null: ask for another one
 */
export async function reportBroken(api, battle, { part, reason }) {
  try {
    return (await api.reportBroken(battle.token, part, reason)).next;
  } catch (error) {
    // The battle is void, answered or expired already.
    if (error instanceof ApiError && [404, 409, 410].includes(error.status)) return null;
    throw error;
  }
}
