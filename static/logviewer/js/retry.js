const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 20_000;

/** One timer for what is tried again: each wait doubles, and takes of that half to all. */
export class RetryDelays {
  #act;
  #environment;
  #timer = null;
  #attempt = 0;
  #first;
  #longest;

  /** @param {() => void} act called when a wait is over */
  constructor(act, environment = globalThis, first = FIRST_DELAY_MS, longest = LONGEST_DELAY_MS) {
    const { setTimeout, clearTimeout, random = Math.random } = environment;
    this.#act = act;
    this.#first = first;
    this.#longest = longest;
    this.#environment = { setTimeout: setTimeout.bind(globalThis), clearTimeout: clearTimeout.bind(globalThis), random };
  }

  get waiting() {
    return this.#timer !== null;
  }

  wait() {
    if (this.#timer !== null) return;
    const ceiling = Math.min(this.#longest, this.#first * 2 ** Math.min(this.#attempt, 16));
    this.#attempt += 1;
    this.#timer = this.#environment.setTimeout(() => {
      this.#timer = null;
      this.#act();
    }, ceiling * (0.5 + 0.5 * this.#environment.random()));
  }

  /** It succeeded, or somebody knows that it may now. */
  reset() {
    if (this.#timer !== null) this.#environment.clearTimeout(this.#timer);
    this.#timer = null;
    this.#attempt = 0;
  }
}
