// @ts-check
// Settings kept in the browser. Storage may be refused (private windows): defaults then apply.

const PREFIX = "hippodrome.";

/** @typedef {Pick<Storage, "getItem" | "setItem" | "removeItem">} KeyValueStorage */

/**
 * Read a stored setting.
 * @template T
 * @param {string} name
 * @param {T} fallback returned where nothing readable is stored
 * @param {KeyValueStorage} [storage]
 * @returns {T}
 */
export function load(name, fallback, storage = localStorage) {
  try {
    const text = storage.getItem(PREFIX + name);
    return text === null ? fallback : JSON.parse(text);
  } catch {
    return fallback;
  }
}

/**
 * Store a setting; `undefined` removes it.
 * @param {string} name
 * @param {unknown} value
 * @param {KeyValueStorage} [storage]
 */
export function save(name, value, storage = localStorage) {
  try {
    if (value === undefined) storage.removeItem(PREFIX + name);
    else storage.setItem(PREFIX + name, JSON.stringify(value));
  } catch {
    // The value then lasts as long as the page.
  }
}
