/**
 * Whether the view is pinned to the end of the log, and how many lines came since it was not.
 */
export class Follow {
  #active;
  #seen = 0;

  constructor(active) {
    this.#active = active;
  }

  get active() {
    return this.#active;
  }

  start() {
    this.#active = true;
  }

  /** @param {number} last number of the last line there is now */
  stop(last) {
    if (this.#active) this.#seen = last;
    this.#active = false;
  }

  /** The reader has seen the log up to line `last`. */
  saw(last) {
    this.#seen = Math.max(this.#seen, last);
  }

  newLines(last) {
    return this.#active ? 0 : Math.max(0, last - this.#seen);
  }
}
