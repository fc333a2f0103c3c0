// @ts-check
// The states of the vote page, and what each input does in each of them.

/** @typedef {"loading" | "preview" | "watching" | "ready" | "sent" | "revealed" | "message"} Phase */

/**
 * What a key, a button or a click on a clip asks for.
 * @typedef {"choice" | "skip" | "start" | "pause" | "replay" | "sound" | "clip" | "continueNow" |
 *   "retry"} Input
 */

/**
 * @typedef {"vote" | "askToWatch" | "skip" | "start" | "togglePause" | "replay" | "switchSound" |
 *   "continueNow" | "retry"} Action
 */

/** Buttons that are enabled in some phases only. @typedef {"choice" | "skip" | "pause" | "replay"} Button */

/**
 * @typedef {object} PhaseRules
 * @property {readonly Button[]} enabled
 * @property {Readonly<Partial<Record<Input, Action>>>} actions an input that is absent does nothing
 */

const PLAYBACK = /** @type {const} */ ({
  skip: "skip",
  pause: "togglePause",
  clip: "togglePause",
  replay: "replay",
  sound: "switchSound",
});

/** @type {Readonly<Record<Phase, PhaseRules>>} */
export const PHASES = {
  // The clips of a battle are on their way. A pair that takes too long can be skipped.
  loading: { enabled: ["skip"], actions: { skip: "skip" } },
  // Muted, because the browser wants a gesture before it plays sound; nothing counts as watched.
  preview: {
    enabled: ["skip", "pause", "replay"],
    actions: {
      choice: "start",
      skip: "skip",
      start: "start",
      pause: "start",
      replay: "start",
      sound: "start",
      clip: "start",
    },
  },
  // Playing, not yet seen (and heard) to the end.
  watching: {
    enabled: ["skip", "pause", "replay"],
    actions: { ...PLAYBACK, choice: "askToWatch" },
  },
  // Seen (and heard): the voter can vote.
  ready: {
    enabled: ["choice", "skip", "pause", "replay"],
    actions: { ...PLAYBACK, choice: "vote" },
  },
  // The vote is on its way.
  sent: { enabled: [], actions: { sound: "switchSound" } },
  // The names are shown.
  revealed: {
    enabled: [],
    actions: {
      choice: "continueNow",
      skip: "continueNow",
      clip: "continueNow",
      continueNow: "continueNow",
      sound: "switchSound",
    },
  },
  // There is nothing to vote on: an error, or no pair is left.
  message: { enabled: [], actions: { retry: "retry" } },
};
