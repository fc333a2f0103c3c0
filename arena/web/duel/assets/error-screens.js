// @ts-check
// Texts for what goes wrong: the cause, and what the voter can do.

/** @import { Delay } from "./outbox.js" */

/** @typedef {{status: number, type: string, message: string}} Failure an ApiError, or its parts */
/** @typedef {{title: string, text: string, action: string}} Screen */

/** @type {Readonly<Record<string, Screen>>} */
const BY_TYPE = {
  "no-pair": {
    title: "You have seen every pair in this track",
    text: "New pairs appear when new clips are added. Other tracks may still have pairs for you.",
    action: "Check for new pairs",
  },
  clip: {
    title: "A clip did not load",
    text: "One of the two clips cannot be played, so this pair cannot be judged fairly.",
    action: "Try again",
  },
};
const OFFLINE = {
  title: "The arena cannot be reached",
  text: "Check your connection. Votes that you have cast are kept and sent once it is back.",
  action: "Try again",
};
const UNAVAILABLE = {
  title: "The arena is temporarily unavailable",
  text: "Your votes are kept. Try again shortly.",
  action: "Try again",
};

/**
 * Shown instead of the clips.
 * @param {Failure} failure
 * @returns {Screen}
 */
export function errorScreen({ status, type, message }) {
  if (Object.hasOwn(BY_TYPE, type)) return BY_TYPE[type];
  if (status === 0) return OFFLINE;
  if (status === 429) return { title: "Please wait", text: message, action: "Continue" };
  if (status >= 500) return UNAVAILABLE;
  return { title: "Something went wrong", text: message, action: "Try again" };
}

/**
 * For the status line, while a vote cannot be delivered.
 * @param {Delay} delay
 */
export function delayStatus({ kind, seconds }) {
  if (kind === "rate-limit") return `You are voting fast: your vote will be sent in ${seconds} s.`;
  if (kind === "offline")
    return "No connection. Your vote is kept and will be sent once it is back.";
  return "The arena is temporarily unavailable. Your vote is kept and will be sent again.";
}

/**
 * For the status line of the next pair, when the last vote was rejected.
 * @param {Failure} failure
 */
export function rejectionStatus({ status, message }) {
  if (status === 410) return "The last pair had expired. Here is a new one.";
  if (status === 409) return "You had already voted on the last pair. Here is the next one.";
  if (status === 404) return "The last pair is no longer available. Here is a new one.";
  return message;
}
