import { placeOf } from "./partition-point.js";

/**
 * Lines of a log that are errors or warnings, and the way from one to the next. There are bounded many: `/marks` gives
 * the first of them, and how many there are in all.
 */

const LEVELS = ["error", "warning"];

export class ErrorMarks {
  #byLine = new Map();
  #numbers = { error: [], warning: [] };

  /** @param {{n: number, level: string, text?: string}[]} marks of `/marks` */
  constructor(marks = []) {
    for (const { n, level, text } of marks) {
      if (!LEVELS.includes(level) || !(Number.isSafeInteger(n) && n > 0)) continue;
      if (this.#byLine.get(n)?.level !== "error") this.#byLine.set(n, { level, text: text ?? "" });
    }
    for (const [n, { level }] of this.#byLine) this.#numbers[level].push(n);
    for (const level of LEVELS) this.#numbers[level].sort((one, other) => one - other);
  }

  /** `{level, text}` of a line, or undefined. */
  at(line) {
    return this.#byLine.get(line);
  }

  /** Line numbers in order. */
  numbers(level) {
    return this.#numbers[level];
  }

  /** What the jumps go through: errors, or warnings where there are no errors. */
  get level() {
    return this.#numbers.error.length > 0 ? "error" : "warning";
  }

  get #stops() {
    return this.#numbers[this.level];
  }

  get count() {
    return this.#stops.length;
  }

  /** The one after `line`, or the first; null where there is none. */
  next(line) {
    return this.#stops[placeOf(this.#stops, line + 1)] ?? this.#stops[0] ?? null;
  }

  /** The one before `line`, or the last. */
  previous(line) {
    return this.#stops[placeOf(this.#stops, line) - 1] ?? this.#stops.at(-1) ?? null;
  }

  /** Which of them a line is, from 1; 0 where it is none. */
  rank(line) {
    const place = placeOf(this.#stops, line);
    return this.#stops[place] === line ? place + 1 : 0;
  }
}
