// @ts-check
// Texts for what goes wrong: the cause, and what the voter can do.

/** @import { Contribution } from "./api.js" */
/** @import { Delay } from "./outbox.js" */

/** @typedef {{status: number, type: string, message: string}} Failure an ApiError, or its parts */
/** @typedef {{title: string, text: string, action: string}} Screen */

/** @type {Readonly<Record<string, Screen>>} */
const BY_TYPE = {
  "no-pair": {
    title: "You have seen every pair in this track",
    text: "New pairs appear when new clips are added.",
    action: "Check for new pairs",
  },
  "no-track": {
    title: "There is nothing to vote on yet",
    text: "No track has two models with clips of the same prompt.",
    action: "Check again",
  },
  cookie: {
    title: "Voting needs a cookie",
    text:
      "Your browser does not keep this site's cookie. It holds a random number, which tells your " +
      "votes apart from other people's, and nothing about you. Allow cookies for this site, then " +
      "try again.",
    action: "Try again",
  },
  format: {
    title: "This browser cannot play the clips",
    text: "They are H.264 videos in MP4 files. Please use another browser.",
    action: "Try again",
  },
  clips: {
    title: "Several clips in a row could not be played",
    text: "They were reported to the operator. The cause may also be this browser or its connection.",
    action: "Try the next pair",
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
 * What the voter contributed, for the end.
 * @param {Contribution} contribution
 */
export function contributionText({ votes }) {
  if (votes === 0) return "You have not voted in this browser yet.";
  const count = votes === 1 ? "1 vote" : `${votes} votes`;
  return `You have cast ${count} in this arena. Thank you: the leaderboard is made of votes like yours.`;
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
 * For the status line, while a clip waits for the connection or the arena.
 * @param {string} cause "offline" or "unavailable"
 */
export const waitStatus = (cause) =>
  cause === "offline"
    ? "No connection. This pair is kept and starts once the connection is back."
    : "The arena is busy. This pair is kept and starts as soon as its clips arrive.";

export const BROKEN_STATUS =
  "A clip could not be played, so that pair was dropped. Here is the next.";

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

/**
 * What is still to be watched or heard before a vote.
 * @param {(side: "a" | "b", sense: "watched" | "heard") => boolean} has
 * @param {boolean} mustHear
 */
export function missingStatus(has, mustHear) {
  const unseen = /** @type {const} */ (["a", "b"]).filter((side) => !has(side, "watched"));
  if (unseen.length === 2) return "Watch both clips to the end first, then vote.";
  if (unseen.length === 1)
    return `Watch clip ${unseen[0].toUpperCase()} to the end first, then vote.`;
  const unheard = /** @type {const} */ (["a", "b"]).filter(
    (side) => mustHear && !has(side, "heard"),
  );
  if (unheard.length === 2) return "Listen to both clips to the end first, then vote.";
  if (unheard.length === 1) {
    const side = unheard[0].toUpperCase();
    return `Listen to clip ${side} to the end first, then vote. S switches the sound.`;
  }
  return "You can vote now. Which clip is better?";
}
