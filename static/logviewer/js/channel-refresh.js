/** How often a log that grows is asked for lines of the chosen channels, and one that does not. */
export const REFRESH_MS = 500;
export const IDLE_REFRESH_MS = 10_000;

/**
 * Lines of chosen channels do not come live: they are asked for when the log has grown, and now and then where it has
 * not, since the request may have failed, or come before the lines could be read.
 */
export class ChannelRefresh {
  #act;
  #timers;
  #timer = null;
  #idle = false;
  #size = -1;
  #asked = -1;

  /** @param {() => void} act asks */
  constructor(act, timers = globalThis) {
    this.#act = act;
    this.#timers = timers;
  }

  /** Call with each drawing. @param {number} size bytes of the log */
  soon(size) {
    this.#size = size;
    const idle = size === this.#asked;
    if (this.#timer !== null && (idle || !this.#idle)) return;
    this.close();
    this.#idle = idle;
    this.#timer = this.#timers.setTimeout(() => this.#refresh(), idle ? IDLE_REFRESH_MS : REFRESH_MS);
  }

  close() {
    if (this.#timer !== null) this.#timers.clearTimeout(this.#timer);
    this.#timer = null;
  }

  #refresh() {
    this.#timer = null;
    this.#asked = this.#size;
    this.#act();
  }
}
