/**
 * What a reader chose, kept in this browser. Where storage is denied or full, choices last as long as the page; what
 * is stored and makes no sense (anybody may write there, older versions did) is as if it were not.
 */

const PREFIX = "buildlogs.";

export const FONT_SIZES_PX = [11, 12, 12.5, 13, 14, 16, 18];
export const THEMES = ["auto", "light", "dark"];

const oneOf = (values) => (value) => values.includes(value);
const isBoolean = (value) => typeof value === "boolean";

/** Every preference: what it is by default, and what it may be. */
export const PREFERENCES = {
  wrap: { byDefault: false, allows: isBoolean },
  theme: { byDefault: "auto", allows: oneOf(THEMES) },
  fontSize: { byDefault: 12.5, allows: oneOf(FONT_SIZES_PX) },
  times: { byDefault: "off", allows: oneOf(["off", "clock", "start", "before"]) },
};

export function readPreference(name, otherwise = PREFERENCES[name].byDefault) {
  try {
    const stored = globalThis.localStorage.getItem(PREFIX + name);
    return parse(name, stored) ?? otherwise;
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

/** The value in what was stored; null where it makes no sense. */
function parse(name, stored) {
  if (stored === null) return null;
  const value = JSON.parse(stored);
  return PREFERENCES[name].allows(value) ? value : null;
}

/** The next larger or smaller font size; the same at either end. */
export function nextFontSize(size, step) {
  const at = FONT_SIZES_PX.indexOf(size);
  return FONT_SIZES_PX[Math.max(0, Math.min(at + step, FONT_SIZES_PX.length - 1))];
}

/**
 * The preferences of a page: a choice holds whether it could be stored or not, and `onChange(name, value)` hears of
 * it, also where it was made in another tab.
 */
export class Preferences {
  #values = new Map();
  #onChange;

  constructor(onChange) {
    this.#onChange = onChange;
    for (const name of Object.keys(PREFERENCES)) this.#values.set(name, readPreference(name));
  }

  get(name) {
    return this.#values.get(name);
  }

  /** @throws {RangeError} where the preference cannot be that */
  set(name, value) {
    if (!PREFERENCES[name].allows(value)) throw new RangeError(`${name} cannot be ${JSON.stringify(value)}`);
    if (this.#values.get(name) === value) return;
    this.#values.set(name, value);
    writePreference(name, value);
    this.#onChange(name, value);
  }

  /** Give it the window's `storage` events. */
  heard({ key, newValue }) {
    const name = key?.startsWith(PREFIX) ? key.slice(PREFIX.length) : "";
    if (!Object.hasOwn(PREFERENCES, name)) return;
    let value;
    try {
      value = parse(name, newValue) ?? PREFERENCES[name].byDefault;
    } catch {
      return;
    }
    // Whether it is new here is not asked: the viewer writes what it has keys for past these values.
    this.#values.set(name, value);
    this.#onChange(name, value);
  }
}
