/**
 * When lines were written: the four ways to say it, and where the log was silent.
 */

export const TIME_MODES = ["off", "clock", "start", "before"];
export const TIME_MODE_NAMES = {
  off: "No times",
  clock: "Time of day",
  start: "Since the start",
  before: "Since the line before",
};

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Silences shorter than that are how programs work. */
export const GAP_SECONDS = 10;

const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const two = (number) => String(Math.floor(number)).padStart(2, "0");

export const nextTimeMode = (mode) => TIME_MODES[(TIME_MODES.indexOf(mode) + 1) % TIME_MODES.length];

/** "0.04", "12.30", "4:05.2", "2:03:04", "3d 04:05": as fine as is of use. @param {number} ms from 0 */
export function lengthText(ms) {
  const length = Math.max(0, ms);
  if (length < MINUTE) return (Math.floor(length / 10) / 100).toFixed(2);
  if (length < HOUR) {
    const tenths = Math.floor((length % MINUTE) / 100);
    return `${Math.floor(length / MINUTE)}:${two(tenths / 10)}.${tenths % 10}`;
  }
  const minutes = two((length % HOUR) / MINUTE);
  if (length < DAY) return `${Math.floor(length / HOUR)}:${minutes}:${two((length % MINUTE) / SECOND)}`;
  return `${Math.floor(length / DAY)}d ${two((length % DAY) / HOUR)}:${two((length % HOUR) / MINUTE)}`;
}

/**
 * What stands before a line; "" where it cannot be said.
 *
 * @param {string} mode of TIME_MODES
 * @param {number | null} time of the line in ms
 * @param {{started: number, before: number | null}} since when the log began (NaN if unknown), and the time of the
 *   line before, null where that is not known
 */
export function timeText(mode, time, { started, before }) {
  if (typeof time !== "number") return "";
  if (mode === "clock") return clock.format(time);
  if (mode === "start") return Number.isFinite(started) ? lengthText(time - started) : "";
  if (mode === "before") return typeof before === "number" ? `+${lengthText(time - before)}` : "";
  return "";
}

/** Columns that times of this mode take in a log that lasted `length` ms; as many for all rows, so that none moves. */
export function timeColumns(mode, length) {
  if (mode === "off") return 0;
  if (mode === "clock") return 8;
  return Math.max(5, lengthText(length).length) + (mode === "before" ? 1 : 0);
}

/** "silent for 42 s", "silent for 12 min", "silent for 3 h 05 min" */
export function silenceText(seconds) {
  const whole = Math.round(seconds);
  if (whole < 100) return `silent for ${whole} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 100) return `silent for ${minutes} min`;
  return `silent for ${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`;
}

/** The long silences of a log: a silence lies before the line that ended it. */
export class Gaps {
  #byLine;
  #ordered;

  /** @param {{n: number, seconds: number}[]} marks of `/marks` */
  constructor(marks = []) {
    const long = marks.filter(({ n, seconds }) => Number.isSafeInteger(n) && n > 0 && seconds >= GAP_SECONDS);
    this.#byLine = new Map(long.map(({ n, seconds }) => [n, seconds]));
    this.#ordered = [...this.#byLine].sort((one, other) => other[1] - one[1] || one[0] - other[0]);
  }

  get count() {
    return this.#ordered.length;
  }

  /** How many seconds the log was silent before that line; undefined where it was not for long. */
  before(line) {
    return this.#byLine.get(line);
  }

  /** The line that ended the longest silence, then the next longest, round and round; null where there is none. */
  nextLongest(line) {
    if (this.#ordered.length === 0) return null;
    const at = this.#ordered.findIndex(([number]) => number === line);
    return this.#ordered[(at + 1) % this.#ordered.length][0];
  }
}
