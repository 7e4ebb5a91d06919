import { LiveTail } from "./live-tail.js";
import { LogSocket } from "./log-socket.js";
import { PLAIN } from "./sgr.js";

/** Lines before the end that a stream begins with; what lies before is read by range. */
const TAIL_LINES = 500;
/** Who comes back, to a tab or the network, and missed more than this is shown the end anew instead. */
const MOST_MISSED_BYTES = 256 * 1024;

function socketAddress(path, base) {
  const address = new URL(path, base);
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  return address.href;
}

/**
 * What is written to a log while it is watched goes into its block store. A hidden page is told counts only, and
 * catches up when it is shown.
 *
 * The listener has `onState(state)` as LogSocket's, `onLog({state?, size, lines})` when these are told, `onLines(last)`
 * when lines came up to number `last`, `onStart()` when a stream begins, `onFinished()` and `onError({status, detail})`.
 */
export class LogStream {
  #store;
  #listener;
  #document;
  #tail;
  #socket;
  #waiting = null;

  /**
   * @param {HTMLElement} element says where the log is watched: `data-socket`
   * @param {import("./block-store.js").BlockStore} store
   * @param {AbortSignal} signal
   */
  constructor(element, store, listener, signal) {
    this.#store = store;
    this.#listener = listener;
    this.#document = element.ownerDocument;
    this.#tail = new LiveTail((line) => store.put(line));
    const address = socketAddress(element.dataset.socket, this.#document.baseURI);
    const options = { from: `tail:${TAIL_LINES}`, mostMissed: MOST_MISSED_BYTES };
    this.#socket = new LogSocket(address, this.#socketListener(), options);
    this.#document.addEventListener("visibilitychange", () => this.#shownOrHidden(), { signal });
    if (this.#document.visibilityState === "hidden") this.#socket.pause();
    signal.addEventListener("abort", () => this.#socket.close());
  }

  /** The bytes of the log that have come, all before them included; null before a stream began. */
  get offset() {
    return this.#socket.offset;
  }

  networkIsBack() {
    this.#socket.networkIsBack();
  }

  #shownOrHidden() {
    if (this.#document.visibilityState === "hidden") this.#socket.pause();
    else this.#socket.resume();
  }

  #socketListener() {
    const { onState, onLog, onError } = this.#listener;
    return {
      onState,
      onStart: ({ line }) => this.#start(line),
      onReload: () => this.#reload(),
      onHello: ({ state, size, lines }) => onLog({ state, size, lines }),
      onFrame: (frame) => (this.#waiting === null ? this.#append(frame) : this.#waiting.push(frame)),
      onSize: ({ size, lines }) => onLog({ size, lines }),
      onFinished: (told) => this.#finish(told),
      onError,
    };
  }

  /** What was sent is void, and how much there is of it. */
  #reload() {
    this.#store.clear();
    this.#store.forgetTotal();
    this.#listener.onLog({ size: 0, lines: 0 });
  }

  /** Colours may go on from before the stream's first line: until it is known which, frames wait. */
  async #start(line) {
    const waiting = [];
    this.#waiting = waiting;
    this.#tail.start(line);
    this.#store.liveFrom(line);
    this.#listener.onStart();
    const pen = await this.#store.penAt(line).catch(() => PLAIN);
    if (this.#waiting !== waiting) return;
    this.#waiting = null;
    this.#tail.start(line, pen);
    for (const frame of waiting) this.#append(frame);
  }

  #append(frame) {
    this.#tail.append(frame);
    this.#show();
  }

  #show() {
    const { unfinished } = this.#tail;
    if (unfinished !== null) this.#store.put(unfinished);
    this.#store.trim();
    this.#listener.onLines(this.#tail.last);
  }

  #finish({ state, size, lines }) {
    for (const frame of this.#waiting ?? []) this.#tail.append(frame);
    this.#waiting = null;
    this.#tail.finish();
    this.#show();
    if (this.#tail.moves) this.#store.doubtLive();
    this.#listener.onLog({ state, size, lines });
    this.#listener.onFinished();
  }
}
