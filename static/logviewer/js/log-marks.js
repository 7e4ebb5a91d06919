import { ErrorMarks } from "./errors.js";
import { RetryDelays } from "./retry.js";
import { Gaps } from "./times.js";

/** A log that is written is asked for its marks no oftener than that; they come a moment after the lines. */
const REFRESH_MS = 5_000;
/** And again after its end, at growing intervals, until all of it has been looked at; so too where the server failed. */
const LAST_LOOK_MS = 1_500;
const LONGEST_WAIT_MS = 60_000;

const NOTHING = { errors: [], folds: [], gaps: [], counts: {} };

/**
 * What the server knows of a log besides its text: errors, folds, silences. Dispatches `change` when it has news. While
 * a log grows it is asked again and again, but only about what has grown and only while somebody looks.
 */
export class LogMarks extends EventTarget {
  #address;
  #log;
  #signal;
  #timer = null;
  #seenLines = -1;
  #complete = false;
  #failed = false;
  #delays = new RetryDelays(() => this.#look(), globalThis, 2 * LAST_LOOK_MS, LONGEST_WAIT_MS);
  #ended;

  errors = new ErrorMarks();
  gaps = new Gaps();
  folds = NOTHING.folds;
  counts = NOTHING.counts;

  /** @param {LogViewer} viewer */
  constructor(viewer) {
    super();
    this.#address = `/api/v1/logs/${viewer.log.id}/marks`;
    this.#log = () => viewer.log;
    this.#signal = viewer.signal;
    this.#ended = viewer.log.state === "finished";
    this.#signal.addEventListener("abort", () => this.#close());
    viewer.element.addEventListener("log:state", () => this.#hurry(), { signal: this.#signal });
    this.#look();
  }

  /** The log ended: what there is to know of its end comes soon. */
  #hurry() {
    const ended = this.#log().state === "finished";
    if (ended === this.#ended) return;
    this.#ended = ended;
    this.#seenLines = -1;
    this.#complete = false;
    this.#delays.reset();
    this.#later(LAST_LOOK_MS);
  }

  async #look() {
    const { lines } = this.#log();
    const ended = this.#ended;
    const due = lines !== this.#seenLines || (ended && !this.#complete);
    if (due && !document.hidden) {
      this.#seenLines = lines;
      await this.#ask(ended);
      if (this.#signal.aborted || ended !== this.#ended) return; // closed, or #hurry has set the next look
      if (this.#failed || (ended && !this.#complete)) {
        this.#delays.wait();
        return;
      }
      this.#delays.reset();
    }
    if (!ended || lines !== this.#seenLines || !this.#complete) this.#later(REFRESH_MS);
  }

  #close() {
    clearTimeout(this.#timer);
    this.#delays.reset();
  }

  #later(delay) {
    clearTimeout(this.#timer);
    if (!this.#signal.aborted) this.#timer = setTimeout(() => this.#look(), delay);
  }

  /** @param {boolean} ended whether the log had its end by now */
  async #ask(ended) {
    let marks;
    this.#failed = true;
    try {
      const response = await fetch(this.#address, { signal: this.#signal });
      if (!response.ok) throw new Error(`marks answered ${response.status}`);
      marks = { ...NOTHING, ...(await response.json()) };
    } catch {
      // Closed, or the server is away: the next look asks again, and what was known still holds.
      this.#seenLines = -1;
      return;
    }
    this.#failed = false;
    this.#complete = ended && marks.complete !== false;
    this.errors = new ErrorMarks(marks.errors);
    this.gaps = new Gaps(marks.gaps);
    this.folds = marks.folds;
    this.counts = marks.counts;
    this.dispatchEvent(new Event("change"));
  }
}
