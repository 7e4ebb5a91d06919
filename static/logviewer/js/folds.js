import { partitionPoint } from "./partition-point.js";

/**
 * Folds of a log: which are closed, and which lines that leaves to be seen. Everything costs by the number of folds,
 * never of lines.
 *
 * A fold is `{start, end, name, depth}`: lines from 1, `end` null while it is open in a log that is still written. Its
 * first line stays when it is closed, and stands for the others. Folds lie within each other or beside each other; one
 * that crosses the end of the fold around it ends there.
 */

/** Deeper ones are drawn like the deepest: section markers may nest a thousand deep. */
export const MAX_DEPTH = 8;
/** What an address can hold. */
const MAX_NAMED = 200;
const ALL = "all";

const endOf = (fold) => fold.end ?? Infinity;

/** Folds of `/marks` in order of their first lines, nested; those without a line to hide are none. */
function nest(marks) {
  const sorted = marks
    .map(({ start, end, name, seconds }) => ({ start, end: end ?? null, name, seconds: seconds ?? null, depth: 0 }))
    .filter((fold) => Number.isSafeInteger(fold.start) && fold.start > 0 && endOf(fold) > fold.start)
    .sort((one, other) => one.start - other.start || endOf(other) - endOf(one));
  const folds = [];
  const around = [];
  for (const fold of sorted) {
    if (folds.at(-1)?.start === fold.start) continue;
    while (around.length > 0 && endOf(around.at(-1)) < fold.start) around.pop();
    const outer = around.at(-1);
    if (outer && endOf(fold) > endOf(outer)) fold.end = outer.end;
    if (endOf(fold) === fold.start) continue;
    fold.depth = Math.min(around.length, MAX_DEPTH);
    fold.outer = outer ?? null;
    folds.push(fold);
    around.push(fold);
  }
  return folds;
}

export class Folds {
  #folds = [];
  #byStart = new Map();
  #allClosed = false;
  #exceptions = new Set();
  #hidden = [];

  /** Folds in order of their first lines. */
  get list() {
    return this.#folds;
  }

  /** Take in what is known now: the log has grown. What was closed stays closed. */
  update(marks) {
    this.#folds = nest(marks);
    this.#byStart = new Map(this.#folds.map((fold) => [fold.start, fold]));
    this.#layOut();
  }

  /** The fold that begins with that line, or undefined. */
  at(line) {
    return this.#byStart.get(line);
  }

  isClosed(fold) {
    return this.#allClosed !== this.#exceptions.has(fold.start);
  }

  toggle(fold) {
    this.#turn(fold);
    this.#layOut();
  }

  setAll(closed) {
    this.#allClosed = closed;
    this.#exceptions.clear();
    this.#layOut();
  }

  /** Open what hides that line; @returns {boolean} whether anything did */
  reveal(line) {
    if (!this.isHidden(line)) return false;
    for (let fold = this.#innermost(line); fold; fold = fold.outer) if (this.isClosed(fold)) this.#turn(fold);
    this.#layOut();
    return true;
  }

  // The way between lines and rows

  /** How many rows the lines 1 to `lines` take. */
  rows(lines) {
    const run = this.#runBefore(lines + 1);
    if (!run) return lines;
    return lines - run.hiddenBefore - (Math.min(lines, run.last) - run.first + 1);
  }

  /** The row, from 0, that shows a line: its own, or that of the fold that hides it. */
  rowOf(line) {
    const run = this.#runBefore(line);
    if (!run) return line - 1;
    if (line <= run.last) return run.first - 2 - run.hiddenBefore;
    return line - 1 - run.hiddenBefore - (run.last - run.first + 1);
  }

  /** The line in a row; rows and lines without end where the log is still written. */
  lineAt(row) {
    const runs = this.#hidden;
    const run = runs[partitionPoint(runs, ({ first, hiddenBefore }) => first - 1 - hiddenBefore <= row) - 1];
    return run ? row + 1 + run.hiddenBefore + (run.last - run.first + 1) : row + 1;
  }

  isHidden(line) {
    const run = this.#runBefore(line);
    return run !== undefined && line <= run.last;
  }

  /** Closed ranges of hidden lines `[first, last]`, in order, none touching another. */
  get hidden() {
    return this.#hidden.map(({ first, last }) => [first, last]);
  }

  // The address

  /** What stands in the address for the present state; "" where that is the default, in which nothing is closed. */
  toParameter() {
    const exceptions = [...this.#exceptions].filter((start) => this.#byStart.has(start)).slice(0, MAX_NAMED);
    return [...(this.#allClosed ? [ALL] : []), ...exceptions.sort((a, b) => a - b)].join(".");
  }

  /** The reverse; what cannot be read is left out. */
  readParameter(text) {
    const parts = (text ?? "").split(".", MAX_NAMED + 1);
    this.#allClosed = parts[0] === ALL;
    this.#exceptions = new Set(parts.filter((part) => /^[1-9]\d{0,14}$/.test(part)).map(Number));
    this.#layOut();
  }

  #turn(fold) {
    if (!this.#exceptions.delete(fold.start)) this.#exceptions.add(fold.start);
  }

  /** The innermost fold that has the line, and not as its first. */
  #innermost(line) {
    let fold = this.#folds[partitionPoint(this.#folds, ({ start }) => start < line) - 1];
    while (fold && endOf(fold) < line) fold = fold.outer;
    return fold;
  }

  /** The last run of hidden lines that begins at or before `line`. */
  #runBefore(line) {
    const runs = this.#hidden;
    return runs[partitionPoint(runs, ({ first }) => first <= line) - 1];
  }

  #layOut() {
    this.#hidden = [];
    let [until, hiddenBefore] = [0, 0];
    for (const fold of this.#folds) {
      if (fold.start <= until || !this.isClosed(fold)) continue;
      until = endOf(fold);
      this.#hidden.push({ first: fold.start + 1, last: until, hiddenBefore });
      hiddenBefore += until - fold.start;
    }
  }
}
