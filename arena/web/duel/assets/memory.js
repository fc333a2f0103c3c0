// Small settings that outlive a page: kept in the browser, lost without harm.

const PREFIX = "hippodrome.";

export function recall(name, otherwise, storage = localStorage) {
  try {
    const text = storage.getItem(PREFIX + name);
    return text === null ? otherwise : JSON.parse(text);
  } catch {
    return otherwise;
  }
}

export function remember(name, value, storage = localStorage) {
  try {
    storage.setItem(PREFIX + name, JSON.stringify(value));
  } catch {
    // Storage may be refused: the setting then lasts as long as the page.
  }
}
