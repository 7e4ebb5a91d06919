/**
 * What a reader chose, kept in this browser. Where storage is denied or full, choices last as long as the page.
 */

const PREFIX = "buildlogs.";

export function readPreference(name, otherwise) {
  try {
    const stored = globalThis.localStorage.getItem(PREFIX + name);
    return stored === null ? otherwise : JSON.parse(stored);
  } catch {
    return otherwise;
  }
}

export function writePreference(name, value) {
  try {
    globalThis.localStorage.setItem(PREFIX + name, JSON.stringify(value));
  } catch {
    // Private windows and blocked storage: the choice still holds for this page.
  }
}
