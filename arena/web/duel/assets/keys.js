// @ts-check
// Keyboard shortcuts: one listener, ignored where typing or a focused control needs the key.

/** @import { Choice } from "./api.js" */
/** @import { Input } from "./phases.js" */

/** @typedef {Input | "fullscreen" | "help" | "more" | "source" | "withdraw"} KeyInput */

/** @type {Readonly<Partial<Record<string, Choice>>>} */
const CHOICES = { ArrowLeft: "a", ArrowRight: "b", ArrowUp: "tie", ArrowDown: "bad" };
/** @type {Readonly<Partial<Record<string, KeyInput>>>} */
const INPUTS = {
  " ": "pause",
  s: "sound",
  r: "replay",
  x: "skip",
  f: "fullscreen",
  m: "more",
  z: "withdraw",
  "?": "help",
  Enter: "continueNow",
};
const TYPING = "input, textarea, select, [contenteditable], [role=combobox], [role=slider]";
const PRESSABLE = "button, a[href], summary, [role=button], [role=tab], [role=radio]";

/** What the buttons of each answer say. @type {Readonly<Record<Exclude<Choice, "skip">, string>>} */
export const VOTE_LABELS = {
  a: "A is better",
  b: "B is better",
  tie: "About equal",
  bad: "Both bad",
};

/** What each key does, for the help. @type {readonly [keys: string, meaning: string][]} */
export const KEY_HELP = [
  ["←", VOTE_LABELS.a],
  ["→", VOTE_LABELS.b],
  ["↑", VOTE_LABELS.tie],
  ["↓", VOTE_LABELS.bad],
  ["X", "Skip this pair"],
  ["Z", "Withdraw the last vote: for ten seconds, where no names were shown"],
  ["Space", "Pause or play"],
  ["R", "Replay from the start"],
  ["S", "Switch the sound to the other clip"],
  ["M", "Read the whole prompt"],
  ["F", "Full screen"],
  ["Enter", "Go on to the next pair"],
  ["?", "Show this help"],
];

/** @param {string} key */
const meaningOf = (key) => ({
  choice: CHOICES[key],
  input: INPUTS[key.length === 1 ? key.toLowerCase() : key],
});

/**
 * Whether the key belongs to what has the focus: Enter and Space activate it, as everywhere.
 * @param {EventTarget | undefined} target
 * @param {string} key
 */
function isTaken(target, key) {
  if (!(target instanceof Element)) return false;
  if (target.closest(TYPING) || target.closest("dialog[open], [role=dialog], [role=menu]")) {
    return true;
  }
  return (key === " " || key === "Enter") && target.closest(PRESSABLE) !== null;
}

/** @param {KeyboardEvent} event */
const hasModifier = ({ key, ctrlKey, altKey, metaKey, shiftKey }) =>
  ctrlKey || altKey || metaKey || (shiftKey && key !== "?");

/**
 * Listen until `signal` aborts.
 * @param {object} options
 * @param {() => boolean} options.isEnabled
 * @param {(choice: Choice) => void} options.onChoice
 * @param {(input: KeyInput) => void} options.onInput
 * @param {AbortSignal} options.signal
 */
export function listenToKeys({ isEnabled, onChoice, onInput, signal }) {
  /** @param {KeyboardEvent} event */
  const onKeyDown = (event) => {
    if (event.repeat || event.defaultPrevented || hasModifier(event)) return;
    const { choice, input } = meaningOf(event.key);
    if ((!choice && !input) || isTaken(event.composedPath()[0], event.key)) return;
    if (!isEnabled() && input !== "help") return;
    event.preventDefault(); // arrows and Space would scroll the page
    event.stopPropagation(); // Streamlit has shortcuts of its own, such as R
    if (choice) onChoice(choice);
    else if (input) onInput(input);
  };
  window.addEventListener("keydown", onKeyDown, { signal, capture: true });
}
