import { Block } from "./block.js";
import { BLOCK_LINES, LinesRefused } from "./lines-source.js";
import { penOf } from "./resolve.js";
import { RetryDelays } from "./retry.js";
import { PLAIN } from "./sgr.js";

export const MAX_BLOCKS = 40;
export const MAX_CHARACTERS = 16 * 1024 * 1024;

const SWEEP_MS = 120;

const blockOf = (index) => Math.floor((index - 1) / BLOCK_LINES);
const firstOf = (block) => block * BLOCK_LINES + 1;

/**
 * The lines of a log of any size: blocks of 500, the ones looked at last, filled by ranges from the server and by what
 * arrives live. An *index* counts from 1 the lines that have any of the chosen channels; it is the line's number
 * where none are chosen.
 */
export class BlockStore {
  #source;
  #onChange;
  #onError;
  #blocks = new Map();
  #requests = new Map();
  #wanted = { first: 1, last: 0 };
  #channels = null;
  #total = 0;
  #complete = false;
  #known = false;
  #provisional = null;
  #delays;
  #sweep;
  #refused = null;
  #closed = false;

  /**
   * @param {import("./lines-source.js").LinesSource} source
   * @param {{onChange: () => void, onError: (error: LinesRefused | null) => void}} listener `onChange`: lines came or
   *   the total changed; `onError`: a request failed (it is tried again unless `error.final`), or null: they succeed
   * @param {object} environment `setTimeout`, `clearTimeout`, `random`
   */
  constructor(source, { onChange, onError }, environment = globalThis) {
    this.#source = source;
    this.#onChange = onChange;
    this.#onError = onError;
    this.#delays = new RetryDelays(() => this.#request(), environment);
    this.#sweep = new RetryDelays(() => this.#request(), environment, SWEEP_MS, SWEEP_MS);
  }

  /** How many lines there are, as far as is known. */
  get total() {
    return this.#total;
  }

  /** Whether the log is finished, as the server said last. */
  get complete() {
    return this.#complete;
  }

  /** Numbers of the chosen channels; null for all. */
  get channels() {
    return this.#channels;
  }

  get blockCount() {
    return this.#blocks.size;
  }

  /** What is kept, in characters. */
  get weight() {
    let weight = 0;
    for (const block of this.#blocks.values()) weight += block.weight;
    return weight;
  }

  /** The line with that index, or undefined while it is not here. */
  line(index) {
    const number = blockOf(index);
    return this.#blocks.get(number)?.line(index, () => this.#around(number));
  }

  /** Somebody told how many lines there are: it does not become less. */
  grow(total) {
    if (this.#channels !== null || total <= this.#total) return;
    this.#total = total;
    this.#onChange();
  }

  /** Take a line that came live, ended or not. */
  put(line) {
    if (this.#channels !== null) return;
    this.#block(blockOf(line.number)).put(line);
    this.#total = Math.max(this.#total, line.number);
    if (!line.ended) this.#provisional = line.number;
    else if (this.#provisional === line.number) this.#provisional = null;
  }

  /** Live lines begin with `number`: what was here of an earlier line that had not ended is void. */
  liveFrom(number) {
    if (this.#provisional === null || this.#provisional >= number) return;
    this.#blocks.get(blockOf(this.#provisional))?.truncate(this.#provisional);
    this.#provisional = null;
  }

  /** Call after a number of `put`. */
  trim() {
    this.#evict();
  }

  /** Show only lines that have any of these channels; null for all. The total is unknown until the server answers. */
  setChannels(channels) {
    this.#channels = channels;
    this.clear();
    this.forgetTotal();
    this.#onChange();
    this.prime(this.#source.get(1, BLOCK_LINES, { channels }));
  }

  /** Where channels are chosen nothing comes live: ask what came since the last line that is here. */
  refresh() {
    if (this.#requests.size > 0 || this.#delays.waiting) return;
    const { promise, request } = this.#ask(Math.max(1, this.#total), BLOCK_LINES);
    this.#requests.set("prime", request);
    this.#settle("prime", request, promise);
  }

  /** There may be fewer lines than were known of: the total is unknown until the server answers. */
  forgetTotal() {
    this.#total = 0;
    this.#known = false;
  }

  /** What is here is void; what is wanted is asked for again. */
  clear() {
    for (const { controller } of this.#requests.values()) controller.abort();
    this.#requests.clear();
    this.#blocks.clear();
    this.#known = false;
    this.#provisional = null;
    this.#refused = null;
    this.#delays.reset();
    this.#sweep.reset();
  }

  /** The lines from `first` to `last` are to be seen: they, and then their neighbours, are asked for. */
  want(first, last) {
    this.#wanted = { first, last };
    this.#request();
  }

  /** What came live is asked for again where it is looked at; it is shown until that comes. */
  doubtLive() {
    for (const block of this.#blocks.values()) if (block.hasLive) block.doubt();
    this.#request();
  }

  /** Take an answer that was asked for before the store was there. */
  async prime(asked) {
    const request = { controller: new AbortController() };
    this.#requests.set("prime", request);
    await this.#settle("prime", request, asked);
  }

  /** The pen in force at the beginning of line `number`, all channels being shown. @throws {LinesRefused} */
  async penAt(number) {
    const known = number === 1 ? PLAIN : this.#blocks.get(blockOf(number))?.penAt(number);
    return known ?? penOf((await this.#source.get(number, 1)).sgr);
  }

  /** The index of the first line with that number or a later one; `total` where there is none. @throws {LinesRefused} */
  async indexOf(number) {
    if (this.#channels === null) return number;
    let [low, high] = [1, Math.max(1, this.#total)];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const line = this.line(middle) ?? (await this.#probe(middle));
      if (line === undefined || line.number >= number) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** Whoever waits for the server need not: it may be back. */
  retryNow() {
    if (!this.#delays.waiting) return;
    this.#delays.reset();
    this.#request();
  }

  close() {
    this.#closed = true;
    this.clear();
  }

  async #probe(index) {
    const { lines } = await this.#source.get(index, 1, { channels: this.#channels });
    return lines.length > 0 ? { number: lines[0].n } : undefined;
  }

  #block(number) {
    let block = this.#blocks.get(number);
    if (!block) block = new Block(firstOf(number));
    this.#blocks.delete(number);
    this.#blocks.set(number, block);
    return block;
  }

  /** The first index from `first` to `last` in that block that is not here; null where all are. */
  #gapIn(block, first, last) {
    const from = Math.max(first, firstOf(block));
    const to = Math.min(last, firstOf(block + 1) - 1, this.#total);
    const kept = this.#blocks.get(block);
    for (let index = from; index <= to; index += 1) if (!kept?.has(index)) return index;
    return null;
  }

  #request() {
    if (this.#closed || this.#refused !== null || this.#delays.waiting) return;
    const { first, last } = this.#wanted;
    const [from, to] = [blockOf(Math.max(1, first)), blockOf(Math.max(first, Math.min(last, this.#total), 1))];
    this.#abortBeyond(from - 1, to + 1);
    if (this.#requests.has("prime")) return;
    if (!this.#known && this.#total === 0) {
      this.#fetch(0, 1);
      return;
    }
    let missing = false;
    for (let block = from; block <= to; block += 1) {
      if (this.#blocks.has(block)) this.#block(block);
      const gap = this.#gapIn(block, first, last);
      if (gap === null) continue;
      missing = true;
      if (!this.#sweep.waiting) this.#fetch(block, gap, true);
    }
    // Neighbours that would push each other out are not worth asking for.
    if (missing || this.weight > MAX_CHARACTERS / 2) return;
    for (const block of [to + 1, from - 1]) {
      if (block < 0 || this.#requests.size > 0) continue;
      const gap = this.#gapIn(block, firstOf(block), Infinity);
      if (gap !== null && !this.#blocks.get(block)?.has(firstOf(block))) this.#fetch(block, gap);
    }
  }

  /**
   * Nobody waits for what is out of sight. The server works on it all the same: who goes over the log that fast is
   * asked for when the scroll bar rests for a moment.
   */
  #abortBeyond(from, to) {
    for (const [block, { controller, seen }] of this.#requests) {
      if (block === "prime" || (block >= from && block <= to)) continue;
      controller.abort();
      this.#requests.delete(block);
      if (seen) this.#sweep.wait();
    }
  }

  /** Ask for the rest of a block, from the block's first line that is not here. */
  #fetch(block, gap, seen = false) {
    if (this.#requests.has(block)) return;
    const start = this.#blocks.get(block)?.startFor(gap) ?? firstOf(block);
    const { promise, request } = this.#ask(start, firstOf(block + 1) - start);
    this.#requests.set(block, { ...request, seen, gap });
    this.#settle(block, this.#requests.get(block), promise);
  }

  #ask(start, count) {
    const controller = new AbortController();
    const promise = this.#source.get(start, count, { channels: this.#channels, signal: controller.signal });
    return { promise, request: { controller } };
  }

  async #settle(block, request, asked) {
    let answer;
    let error = null;
    try {
      answer = await asked;
    } catch (thrown) {
      error = thrown;
    }
    if (this.#requests.get(block) !== request) return;
    this.#requests.delete(block);
    if (error === null) this.#take(answer, request.gap);
    else if (error instanceof LinesRefused) this.#failed(error);
    else if (error.name !== "AbortError") throw error;
  }

  /** @param {number} [gap] the index that was asked for because it is missing */
  #take(answer, gap = 0) {
    this.#delays.reset();
    this.#onError(null);
    this.#complete ||= answer.complete;
    this.#known = true;
    this.#total = Math.max(this.#total, answer.total);
    const last = answer.start + answer.lines.length - 1;
    if (!answer.complete && last === answer.total) this.#provisional ??= last;
    let pen = penOf(answer.sgr);
    for (let at = 0; at < answer.lines.length; ) {
      const index = answer.start + at;
      const number = blockOf(index);
      const room = firstOf(number + 1) - index;
      const block = this.#block(number);
      block.fill(index, pen, answer.lines.slice(at, at + room));
      at += room;
      if (at < answer.lines.length) pen = block.penAt(index + room);
      if (block.moves) this.#blocks.get(number - 1)?.unresolve();
    }
    this.#evict();
    if (gap > 0 && answer.lines.length === 0 && gap <= this.#total) this.#lacks(gap, answer);
    this.#onChange();
    this.#request();
  }

  /** The server has no such line: there are fewer than somebody told, or it is not ready to give it. */
  #lacks(gap, { complete, total }) {
    if (complete && total < gap) this.#total = total;
    else this.#delays.wait();
  }

  #failed(error) {
    if (error.final) this.#refused = error;
    else this.#delays.wait();
    this.#onError(error);
  }

  #around(number) {
    return { before: this.#blocks.get(number - 1)?.tail ?? [], after: this.#blocks.get(number + 1)?.head ?? [] };
  }

  /** Forget the blocks that were looked at longest ago; those in view stay, whatever they weigh. */
  #evict() {
    let weight = this.weight;
    const [from, to] = [blockOf(Math.max(1, this.#wanted.first)), blockOf(Math.max(1, this.#wanted.last))];
    const end = blockOf(Math.max(1, this.#total));
    for (const [number, block] of this.#blocks) {
      if (this.#blocks.size <= MAX_BLOCKS && weight <= MAX_CHARACTERS) return;
      if ((number >= from && number <= to) || number === end) continue;
      weight -= block.weight;
      this.#blocks.delete(number);
    }
  }
}
