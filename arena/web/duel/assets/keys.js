// @ts-check
// Keyboard shortcuts: one listener, ignored where typing or a focused control needs the key.

/** @import { Choice } from "./api.js" */
/** @import { Input } from "./phases.js" */

/** @type {Readonly<Record<string, Choice>>} */
const CHOICES = { ArrowLeft: "a", ArrowRight: "b", ArrowUp: "tie", ArrowDown: "bad" };
/** @type {Readonly<Record<string, Input | "fullscreen">>} */
const INPUTS = {
  " ": "pause",
  s: "sound",
  r: "replay",
  x: "skip",
  f: "fullscreen",
  Enter: "continueNow",
};
const TYPING = "input, textarea, select, [contenteditable], [role=combobox], [role=slider]";
const PRESSABLE = "button, a[href], summary, [role=button], [role=tab], [role=radio]";

/**
 * Whether the key belongs to what has the focus: Enter and Space activate it, as everywhere.
 * @param {EventTarget | undefined} target
 * @param {string} key
 */
function isTaken(target, key) {
  if (!(target instanceof Element)) return false;
  if (target.closest(TYPING) || target.closest("[role=dialog], [role=menu]")) return true;
  return (key === " " || key === "Enter") && target.closest(PRESSABLE) !== null;
}

/** @param {KeyboardEvent} event */
const hasModifier = (event) => event.ctrlKey || event.altKey || event.metaKey || event.shiftKey;

/**
 * Listen until `signal` aborts.
 * @param {object} options
 * @param {() => boolean} options.isEnabled
 * @param {(choice: Choice) => void} options.onChoice
 * @param {(input: Input | "fullscreen") => void} options.onInput
 * @param {AbortSignal} options.signal
 */
export function listenToKeys({ isEnabled, onChoice, onInput, signal }) {
  /** @param {KeyboardEvent} event */
  const onKeyDown = (event) => {
    if (event.repeat || event.defaultPrevented || !isEnabled()) return;
    if (hasModifier(event) || isTaken(event.composedPath()[0], event.key)) return;
    const choice = CHOICES[event.key];
    const input = INPUTS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!choice && !input) return;
    event.preventDefault(); // arrows and Space would scroll the page
    if (choice) onChoice(choice);
    else onInput(input);
  };
  document.addEventListener("keydown", onKeyDown, { signal });
}
