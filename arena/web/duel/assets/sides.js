// @ts-check
// The two sides of a battle.

/** @typedef {"a" | "b"} Side */

/**
 * One value for each side.
 * @template T
 * @typedef {{a: T, b: T}} PerSide
 */

/** @type {readonly Side[]} */
export const SIDES = ["a", "b"];

/** @param {Side} side @returns {Side} */
export const otherSide = (side) => (side === "a" ? "b" : "a");
