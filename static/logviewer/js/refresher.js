import { retryDelayMs } from "./retry.js";

/**
 * Loads again what was asked for again: at once, but never twice at a time, never while nobody looks, and the less
 * often the longer the server takes.
 */

export const LEAST_REST_MS = 1000;
/** A rest is so many times as long as the load before it: a server that is busy is asked less. */
const REST_LOADS = 50;
const FAILED = { first: 500, longest: 15_000 };

export class Refresher {
  #load;
  #now;
  #timer = null;
  #isLoading = false;
  #isWanted = false;
  #restUntil = 0;
  #attempt = 0;

  /** `load` returns a promise; one that fails is called again after a while. */
  constructor(load, now = () => performance.now()) {
    this.#load = load;
    this.#now = now;
    document.addEventListener("visibilitychange", () => this.#isWanted && this.request());
  }

  request() {
    this.#isWanted = true;
    if (this.#timer !== null || this.#isLoading || document.hidden) return;
    this.#timer = setTimeout(() => this.#run(), Math.max(0, this.#restUntil - this.#now()));
  }

  async #run() {
    this.#timer = null;
    if (document.hidden) return;
    this.#isWanted = false;
    this.#isLoading = true;
    const began = this.#now();
    try {
      await this.#load();
      this.#attempt = 0;
      this.#restUntil = this.#now() + Math.max(LEAST_REST_MS, REST_LOADS * (this.#now() - began));
    } catch {
      this.#isWanted = true;
      this.#restUntil = this.#now() + retryDelayMs(this.#attempt, FAILED);
      this.#attempt += 1;
    }
    this.#isLoading = false;
    if (this.#isWanted) this.request();
  }
}
