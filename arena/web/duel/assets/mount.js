// Streamlit calls the component again whenever its theme or data change: one duel an element.

import { Duel } from "./duel.js";

const duels = new WeakMap();

export function mount({ parentElement }) {
  let duel = duels.get(parentElement);
  if (!duel) {
    duel = new Duel(parentElement);
    duels.set(parentElement, duel);
  }
  return () => {
    duel.close();
    duels.delete(parentElement);
  };
}
