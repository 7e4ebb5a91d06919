/**
 * What a reader is told about the connection and the log, and when: a trouble that is over within a second is not
 * worth a word.
 */

export const QUIET_MS = 1_000;

const WORDS = {
  connecting: "Connecting",
  loading: "Loading",
  live: "Live",
  silent: "Writer is silent",
  reconnecting: "Reconnecting",
  offline: "Offline",
  finished: "Finished",
  stopped: "Stopped",
};

const TROUBLES = new Set(["reconnecting", "offline"]);

/** Words for a state of the viewer. */
export const wordOf = (state) => WORDS[state];

/**
 * The viewer's state, from the socket's and the log's.
 *
 * @param {string} socketState as LogSocket tells it
 * @param {string} logState `open`, `finished` or `abandoned`
 * @param {{online: boolean, started: boolean}} page whether the browser has a network, and whether a stream began yet
 */
export function viewerState(socketState, logState, { online, started }) {
  if (socketState === "live") return logState === "abandoned" ? "silent" : "live";
  const waiting = socketState === "waiting" || (socketState === "connecting" && started);
  if (waiting) return online ? "reconnecting" : "offline";
  return socketState;
}

/** Shows states by `show(state)`: troubles only once they have lasted. */
export class QuietStatus {
  #show;
  #timers;
  #timer = null;
  #shown = null;
  #wanted = null;

  constructor(show, timers = globalThis) {
    this.#show = show;
    this.#timers = timers;
  }

  set(state) {
    const trouble = TROUBLES.has(state);
    if (trouble && !TROUBLES.has(this.#shown)) {
      this.#wanted = state;
      this.#timer ??= this.#timers.setTimeout(() => this.#now(this.#wanted), QUIET_MS);
    } else {
      this.#now(state);
    }
  }

  close() {
    if (this.#timer !== null) this.#timers.clearTimeout(this.#timer);
    this.#timer = null;
    this.#wanted = null;
  }

  #now(state) {
    this.close();
    if (state === this.#shown) return;
    this.#shown = state;
    this.#show(state);
  }
}
