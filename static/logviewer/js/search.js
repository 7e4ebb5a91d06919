import { KnownHits } from "./known-hits.js";

/**
 * Searching a log on the server, a page of hits at a time: which lines have a match is asked for where the reader is,
 * never is the log downloaded. Answers to a question that is not asked any more are dropped.
 */

/** Hits of one answer. */
const PAGE_HITS = 500;
/** Pages that are asked for from the start on, for marks and for "12 of 340"; an open log is searched anew for each. */
const OVERVIEW_PAGES = { finished: 8, open: 1 };
/** How far back a match before the present one is looked for at first, in lines. */
const STEP_BACK_LINES = 4_000;
const STEP_BACK_GROWTH = 8;

/** The server's reason why there is nothing to be found: a pattern that is none, or too many searches. */
export class SearchRefused extends Error {}

/** A search that is replaced by another one, or stopped, leaves its callers with null. */
class Stale extends Error {}

export class Search {
  #ask;
  #lines;
  #changed;
  #run = null;

  /**
   * @param {(parameters: object, signal: AbortSignal) => Promise<{total: number, exact: boolean, hits: object[],
   *   next: number | null}>} ask `GET …/search`; rejects with SearchRefused where the server says why
   * @param {() => number} lines how many lines the log has by now
   * @param {() => void} changed called when state, total or what is known has changed
   */
  constructor(ask, lines, changed) {
    this.#ask = ask;
    this.#lines = lines;
    this.#changed = changed;
  }

  /** `{text, regex, case, channels}`, or null while nothing is searched for. */
  get query() {
    return this.#run?.query ?? null;
  }

  /** `idle`, `searching`, `found`, `none` or `failed`. */
  get state() {
    return this.#run?.state ?? "idle";
  }

  /** Why it failed; "" else. */
  get reason() {
    return this.#run?.reason ?? "";
  }

  /** Lines with a match; at least so many where it is not `exact`. */
  get total() {
    return this.#run?.total ?? 0;
  }

  get exact() {
    return this.#run?.exact ?? true;
  }

  /** Numbers of the lines with a match that are known, in order. */
  get numbers() {
    return this.#run?.known.numbers ?? [];
  }

  /** `{spans, text}` of a line with a match, undefined where none is known. */
  spans(line) {
    return this.#run?.known.spans(line);
  }

  rank(line) {
    return this.#run?.known.rank(line) ?? null;
  }

  /**
   * Search for something else.
   *
   * @param {{text: string, regex: boolean, case: boolean, channels: string}} query
   * @param {number} line where the reader is
   * @param {boolean} open whether the log may still grow
   * @returns {Promise<{line: number, wrapped: boolean} | null>} the first line with a match from there on, or from the
   *   start where there is none
   */
  async start(query, line, open) {
    this.stop();
    if (query.text === "") return null;
    const run = { query, open, known: new KnownHits(), state: "searching", reason: "", total: 0, exact: true };
    run.abort = new AbortController();
    this.#run = run;
    this.#changed();
    const found = await this.#guarded(run, () => this.#round(run, line, "following"));
    if (found !== undefined && run.state !== "failed") this.#overview(run);
    return found ?? null;
  }

  stop() {
    if (this.#run === null) return;
    this.#run.abort.abort();
    this.#run = null;
    this.#changed();
  }

  /** The match after `line`; beyond the last one, the first. @returns {Promise<{line, wrapped} | null>} */
  next(line) {
    return this.#step(line + 1, "following");
  }

  /** The match before `line`; before the first one, the last. */
  previous(line) {
    return this.#step(line, "preceding");
  }

  /** Have the matches in these lines known, for they are to be shown. */
  async show(first, last) {
    const run = this.#run;
    if (run === null || run.state === "failed" || run.showing || run.known.covers(first, last)) return;
    run.showing = true;
    await this.#guarded(run, () => this.#page(run, Math.min(run.known.endFrom(first), last)));
    run.showing = false;
  }

  /** The log has grown: what was not there may be now. @param {number} line the last one that was there before */
  grown(line) {
    this.#run?.known.forgetAfter(line);
  }

  async #step(line, direction) {
    const run = this.#run;
    if (run === null) return null;
    return (await this.#guarded(run, () => this.#round(run, line, direction))) ?? null;
  }

  async #guarded(run, act) {
    try {
      return await act();
    } catch (error) {
      if (run !== this.#run || error instanceof Stale || error.name === "AbortError") return undefined;
      run.state = "failed";
      run.reason = error instanceof SearchRefused ? error.message : "The server could not be reached.";
      this.#changed();
      return undefined;
    }
  }

  /** The match in that direction from `line` on, or else the farthest in the other. */
  async #round(run, line, direction) {
    const found = direction === "following" ? await this.#following(run, line) : await this.#preceding(run, line);
    if (found !== null) return { line: found, wrapped: false };
    if (run.total === 0) return null;
    const other = direction === "following" ? await this.#following(run, 1) : await this.#preceding(run, this.#lines() + 1);
    return other === null ? null : { line: other, wrapped: true };
  }

  async #following(run, line) {
    for (;;) {
      const found = run.known.following(line);
      if (found !== undefined) return found;
      await this.#page(run, run.known.endFrom(line));
    }
  }

  async #preceding(run, line) {
    for (let back = STEP_BACK_LINES; ; back *= STEP_BACK_GROWTH) {
      const found = run.known.preceding(line);
      if (found !== undefined) return found;
      let from = Math.max(1, line - back);
      while ((from = run.known.endFrom(from)) < line) await this.#page(run, from);
    }
  }


  async #page(run, start) {
    const { text, regex, case: exactCase, channels } = run.query;
    const parameters = { q: text, regex: regex ? "1" : "0", case: exactCase ? "1" : "0", start, limit: PAGE_HITS };
    if (channels) parameters.channels = channels;
    const answer = await this.#ask(parameters, run.abort.signal);
    if (run !== this.#run) throw new Stale();
    const { next } = answer;
    if (next !== null && next <= start) throw new Error(`a page from line ${start} that ends at ${next}`);
    run.total = answer.total;
    run.exact = answer.exact;
    run.state = answer.total > 0 ? "found" : "none";
    // A search that took too long says how far it came: nothing is known from there on.
    run.known.add(answer.total === 0 && answer.exact ? 1 : start, answer.next ?? Infinity, answer.hits);
    this.#changed();
  }

  async #overview(run) {
    const pages = run.open ? OVERVIEW_PAGES.open : OVERVIEW_PAGES.finished;
    for (let page = 0; page < pages && run === this.#run && run.state === "found"; page += 1) {
      const from = run.known.endFrom(1);
      if (from === Infinity) return;
      await this.#guarded(run, () => this.#page(run, from));
    }
  }
}
