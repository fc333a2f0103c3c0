// @ts-check
// The component's entry point. Streamlit calls it again whenever its theme or data change, so each
// element keeps its one duel.

import { Duel } from "./duel.js";

/** @type {WeakMap<HTMLElement, Duel>} */
const duels = new WeakMap();

/**
 * @param {{parentElement: HTMLElement}} component
 * @returns {() => void} unmounts the duel
 */
export function mount({ parentElement }) {
  const duel = duels.get(parentElement) ?? new Duel(parentElement);
  duels.set(parentElement, duel);
  return () => {
    duel.close();
    duels.delete(parentElement);
  };
}
