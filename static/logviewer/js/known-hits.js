import { placeOf } from "./partition-point.js";

/** Known lines beyond which older knowledge is dropped. */
const MAX_KNOWN = 20_000;

function merged(one, other) {
  if (one.length === 0 || one.at(-1) < other[0]) return one.concat(other);
  return [...new Set([...one, ...other])].sort((a, b) => a - b);
}

/** What is known of a search: lines with a match, and the ranges [from, to) in which no other has one. */
export class KnownHits {
  numbers = [];
  #spans = new Map();
  #ranges = [];

  add(from, to, hits) {
    if (this.numbers.length > MAX_KNOWN) this.#forget();
    this.numbers = merged(this.numbers, hits.map(({ n }) => n));
    for (const { n, spans, text } of hits) this.#spans.set(n, { spans, text });
    this.#cover(from, to);
  }

  /** The match at or after `line`: its number, null where there is none at all, undefined where nobody knows. */
  following(line) {
    const found = this.numbers[placeOf(this.numbers, line)];
    const range = this.#rangeAt(line);
    if (!range) return undefined;
    if (found !== undefined && found < range[1]) return found;
    return range[1] === Infinity ? null : undefined;
  }

  /** The match before `line`, in the same way. */
  preceding(line) {
    const found = this.numbers[placeOf(this.numbers, line) - 1];
    const range = this.#rangeAt(line - 1);
    if (!range) return line <= 1 ? null : undefined;
    if (found !== undefined && found >= range[0]) return found;
    return range[0] <= 1 ? null : undefined;
  }

  /** Where knowledge that reaches from `line` on ends; `line` itself where there is none. */
  endFrom(line) {
    return this.#rangeAt(line)?.[1] ?? line;
  }

  covers(first, last) {
    return this.endFrom(first) > last;
  }

  spans(line) {
    return this.#spans.get(line);
  }

  /** Which match from the start a line's is, from 1; null where that is not known. */
  rank(line) {
    return this.covers(1, line) ? placeOf(this.numbers, line) + 1 : null;
  }

  /** The log has grown: whether there are matches behind `line` is not known any more. */
  forgetAfter(line) {
    this.#ranges = this.#ranges.map(([from, to]) => [from, Math.min(to, line + 1)]).filter(([from, to]) => from < to);
  }

  #rangeAt(line) {
    return this.#ranges.find(([from, to]) => from <= line && line < to);
  }

  #cover(from, to) {
    const apart = this.#ranges.filter((range) => range[1] < from || range[0] > to);
    const touching = this.#ranges.filter((range) => range[1] >= from && range[0] <= to);
    const starts = touching.map((range) => range[0]);
    const ends = touching.map((range) => range[1]);
    apart.push([Math.min(from, ...starts), Math.max(to, ...ends)]);
    this.#ranges = apart;
  }

  #forget() {
    this.numbers = [];
    this.#spans.clear();
    this.#ranges = [];
  }
}
