// The keys of the duel: one listener, ignored wherever typing or a control has a better claim.

const CHOICES = { ArrowLeft: "a", ArrowRight: "b", ArrowUp: "tie", ArrowDown: "bad" };
const ACTIONS = { " ": "pause", s: "sound", r: "replay", x: "skip", f: "theatre", Enter: "onward" };
const TYPING = "input, textarea, select, [contenteditable], [role=combobox], [role=slider]";
const PRESSABLE = "button, a[href], summary, [role=button], [role=tab], [role=radio]";

/** Call `onChoice(choice)` and `onAction(name)` for keys until `signal` aborts. */
export function listenToKeys({ enabled, onChoice, onAction, signal }) {
  const onKey = (event) => {
    if (event.repeat || event.defaultPrevented || !enabled()) return;
    if (event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return;
    const target = event.composedPath()[0];
    if (target instanceof Element) {
      if (target.closest(TYPING) || target.closest("[role=dialog], [role=menu]")) return;
      // Enter and Space press what has the focus, as everywhere.
      if ((event.key === " " || event.key === "Enter") && target.closest(PRESSABLE)) return;
    }
    const choice = CHOICES[event.key];
    const action = ACTIONS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!choice && !action) return;
    event.preventDefault(); // arrows and Space would scroll the page under the clips
    if (choice) onChoice(choice);
    else onAction(action);
  };
  document.addEventListener("keydown", onKey, { signal });
}
