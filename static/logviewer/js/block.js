import { BLOCK_LINES } from "./lines-source.js";
import { movesOverLines, rawWeightOf, resolveLines, weightOf } from "./resolve.js";
import { PLAIN } from "./sgr.js";

/** Raw lines of the neighbours that a screen may reach into. */
const AROUND_LINES = 100;

/**
 * Up to 500 lines from index `first` on. A stretch of them comes from the server as raw lines, which are resolved when
 * one of them is looked at; live lines come resolved, and count more than the server's until they are `doubted`.
 */
export class Block {
  #first;
  #start;
  #pen = PLAIN;
  #raw = [];
  #resolved = null;
  #moves = false;
  #live = new Map();
  #doubted = false;
  #weight = 0;

  constructor(first) {
    this.#first = first;
    this.#start = first;
  }

  /** What it keeps, in characters. */
  get weight() {
    return this.#weight;
  }

  /** Whether its raw lines move the cursor over lines. */
  get moves() {
    return this.#moves;
  }

  get hasLive() {
    return this.#live.size > 0;
  }

  /** Whether the line is here, and as it is to be shown. */
  has(index) {
    return (!this.#doubted && this.#live.has(index)) || this.#isRaw(index);
  }

  /** @param {() => {before: object[], after: object[]}} around raw lines of the neighbours */
  line(index, around) {
    const live = this.#live.get(index);
    if (live !== undefined) return live;
    if (!this.#isRaw(index)) return undefined;
    this.#resolved ??= resolveLines(this.#pen, this.#raw, around);
    return this.#resolved.lines[index - this.#start];
  }

  /** The pen at the beginning of line `index`; undefined where that is not known. */
  penAt(index) {
    if (this.#raw.length === 0 || index < this.#start || index > this.#start + this.#raw.length) return undefined;
    return resolveLines(this.#pen, this.#raw.slice(0, index - this.#start)).pen;
  }

  /** A line that came live, or what of it has come. */
  put(line) {
    this.#drop(line.number);
    this.#live.set(line.number, line);
    this.#weight += weightOf(line);
  }

  /** The log is finished: live lines are to be asked for, and shown until they come. */
  doubt() {
    this.#doubted = true;
  }

  /** Where to ask from so that the line at `gap` comes: what has come is gone on with, or all is asked for. */
  startFor(gap) {
    const next = this.#start + this.#raw.length;
    return this.#raw.length > 0 && gap >= next ? next : this.#first;
  }

  /** Lines of the server from `index` on: they go on where the ones before ended, or stand in their place. */
  fill(index, pen, raw) {
    if (this.#raw.length > 0 && index >= this.#start && index <= this.#start + this.#raw.length) {
      this.#cut(index);
      this.#raw = [...this.#raw, ...raw];
    } else {
      this.#cut(this.#start);
      this.#start = index;
      this.#pen = pen;
      this.#raw = raw;
      this.#moves = false;
    }
    for (const line of raw) this.#weight += rawWeightOf(line);
    if (this.#doubted) for (let at = 0; at < raw.length; at += 1) this.#drop(index + at);
    this.#moves ||= movesOverLines(raw);
    this.#resolved = null;
  }

  /** The line at `index` and those behind it are void. */
  truncate(index) {
    this.#cut(Math.max(index, this.#start));
    for (const number of [...this.#live.keys()]) if (number >= index) this.#drop(number);
    this.#resolved = null;
  }

  /** The lines around have changed. */
  unresolve() {
    this.#resolved = null;
  }

  /** Raw lines from the block's beginning, and up to its end. */
  get head() {
    return this.#start === this.#first ? this.#raw.slice(0, AROUND_LINES) : [];
  }

  get tail() {
    const reachesEnd = this.#start + this.#raw.length === this.#first + BLOCK_LINES;
    return reachesEnd ? this.#raw.slice(-AROUND_LINES) : [];
  }

  #cut(index) {
    for (const line of this.#raw.splice(index - this.#start)) this.#weight -= rawWeightOf(line);
  }

  #drop(index) {
    const before = this.#live.get(index);
    if (before === undefined) return;
    this.#weight -= weightOf(before);
    this.#live.delete(index);
  }

  #isRaw(index) {
    return index >= this.#start && index < this.#start + this.#raw.length;
  }
}
