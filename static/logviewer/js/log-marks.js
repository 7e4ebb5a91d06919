import { ErrorMarks } from "./errors.js";
import { Gaps } from "./times.js";

/** A log that is written is asked for its marks no oftener than that; they come a moment after the lines. */
const REFRESH_MS = 5_000;
/** And once more after its end, by which time all of it has been looked at. */
const LAST_LOOK_MS = 1_500;

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
    this.#signal.addEventListener("abort", () => clearTimeout(this.#timer));
    viewer.element.addEventListener("log:state", () => this.#hurry(), { signal: this.#signal });
    this.#look();
  }

  /** The log ended: what there is to know of its end comes soon. */
  #hurry() {
    const ended = this.#log().state === "finished";
    if (ended === this.#ended) return;
    this.#ended = ended;
    this.#seenLines = -1;
    this.#later(LAST_LOOK_MS);
  }

  async #look() {
    const { lines, state } = this.#log();
    if (lines !== this.#seenLines && !document.hidden) {
      this.#seenLines = lines;
      await this.#ask();
    }
    if (state !== "finished" || lines !== this.#seenLines) this.#later(REFRESH_MS);
  }

  #later(delay) {
    clearTimeout(this.#timer);
    if (!this.#signal.aborted) this.#timer = setTimeout(() => this.#look(), delay);
  }

  async #ask() {
    let marks;
    try {
      const response = await fetch(this.#address, { signal: this.#signal });
      if (!response.ok) return;
      marks = { ...NOTHING, ...(await response.json()) };
    } catch {
      // Closed, or the server is away: the next look asks again, and what was known still holds.
      this.#seenLines = -1;
      return;
    }
    this.errors = new ErrorMarks(marks.errors);
    this.gaps = new Gaps(marks.gaps);
    this.folds = marks.folds;
    this.counts = marks.counts;
    this.dispatchEvent(new Event("change"));
  }
}
