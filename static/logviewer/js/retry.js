const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 20_000;

/** The wait before attempt `attempt`, from 0: doubling, and of that half to all by `random`, so that clients spread. */
export function retryDelayMs(attempt, { first, longest, random = Math.random }) {
  return Math.min(longest, first * 2 ** Math.min(attempt, 16)) * (0.5 + 0.5 * random());
}

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
    const { random } = this.#environment;
    const delay = retryDelayMs(this.#attempt, { first: this.#first, longest: this.#longest, random });
    this.#attempt += 1;
    this.#timer = this.#environment.setTimeout(() => {
      this.#timer = null;
      this.#act();
    }, delay);
  }

  /** It succeeded, or somebody knows that it may now. */
  reset() {
    if (this.#timer !== null) this.#environment.clearTimeout(this.#timer);
    this.#timer = null;
    this.#attempt = 0;
  }
}
