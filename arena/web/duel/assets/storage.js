// @ts-check
// Settings kept in the browser. Storage may be refused (private windows): defaults then apply.

export const PREFIX = "hippodrome.";

/** @typedef {Pick<Storage, "getItem" | "setItem" | "removeItem" | "key" | "length">} KeyValueStorage */

/** Where the browser refuses storage: nothing is kept. @type {KeyValueStorage} */
const NO_STORAGE = {
  getItem: () => null,
  setItem: () => {},
  removeItem: () => {},
  key: () => null,
  length: 0,
};

/**
 * The browser's storage. Where cookies are blocked, even reading `localStorage` throws.
 * @param {"localStorage" | "sessionStorage"} kind
 * @returns {KeyValueStorage}
 */
export function browserStorage(kind) {
  try {
    return globalThis[kind] ?? NO_STORAGE;
  } catch {
    return NO_STORAGE;
  }
}

/**
 * Read a stored setting.
 * @template T
 * @param {string} name
 * @param {T} fallback returned where nothing readable is stored
 * @param {KeyValueStorage} [storage]
 * @returns {T}
 */
export function load(name, fallback, storage = browserStorage("localStorage")) {
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
export function save(name, value, storage = browserStorage("localStorage")) {
  try {
    if (value === undefined) storage.removeItem(PREFIX + name);
    else storage.setItem(PREFIX + name, JSON.stringify(value));
  } catch {
    // The value then lasts as long as the page.
  }
}

/**
 * Names of the stored settings that begin with `start`.
 * @param {string} start
 * @param {KeyValueStorage} storage
 * @returns {string[]}
 */
export function storedNames(start, storage) {
  try {
    return Array.from({ length: storage.length }, (_, index) => storage.key(index) ?? "")
      .filter((key) => key.startsWith(PREFIX + start))
      .map((key) => key.slice(PREFIX.length));
  } catch {
    return [];
  }
}
