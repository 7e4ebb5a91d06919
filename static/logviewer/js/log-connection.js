import { LogStream } from "./log-stream.js";
import { QuietStatus, viewerState } from "./log-status.js";

/**
 * Where a viewer's lines come from, and how that goes: the stream of a log that is written, ranges alone of a
 * finished one. It keeps `log` (`{state, size, lines, …}`) as it is told, shows the state in words, and dispatches
 * `log:state` on the element.
 */
export class LogConnection {
  #element;
  #log;
  #store;
  #view;
  #listener;
  #stream = null;
  #status;
  #window;
  #connection = "connecting";
  #started = false;
  #wasLive = false;
  #state = null;
  #error = null;

  /**
   * @param {HTMLElement} element
   * @param {{state: string, size: number, lines: number}} log changed in place
   * @param {import("./block-store.js").BlockStore} store
   * @param {import("./log-view.js").LogView} view
   * @param {{onLines: () => void, onChange: () => void}} listener lines came live; anything else is to be shown anew
   * @param {AbortSignal} signal
   */
  constructor(element, log, store, view, listener, signal) {
    this.#element = element;
    this.#log = log;
    this.#store = store;
    this.#view = view;
    this.#listener = listener;
    this.#window = element.ownerDocument.defaultView;
    this.#status = new QuietStatus((state) => view.showState(state));
    this.#window.addEventListener("online", () => this.#networkIsBack(), { signal });
    this.#window.addEventListener("offline", () => this.#tell(), { signal });
    signal.addEventListener("abort", () => this.#status.close());
    if (log.state === "finished") this.#set("loading");
    else this.#stream = new LogStream(element, store, this.#streamListener(), signal);
  }

  /** As `log:state` has it. */
  get state() {
    return this.#state;
  }

  /** Whether what comes now is new to the reader: all that was stored when the page came has been told. */
  get wasLive() {
    return this.#wasLive;
  }

  /** Why lines do not come; null where they do. */
  get error() {
    return this.#error;
  }

  /** Whether the log has an end that moves. */
  get canFollow() {
    return this.#log.state !== "finished" && this.#connection !== "stopped";
  }

  /** Bytes of the log that are known of. */
  get size() {
    return Math.max(this.#log.size, this.#stream?.offset ?? 0);
  }

  /** Others know that the writer went silent, or came back: the log's own socket says it only at its start. */
  heard(state) {
    if (this.#started && this.#log.state !== "finished" && state !== "finished") this.#setLog({ state });
  }

  /** The store was given lines, or (`error`) was not. */
  storeTold(error) {
    if (error === null && this.#error === null && this.#connection !== "loading") return;
    this.#error = error?.message ?? null;
    if (this.#stream === null) this.#set(this.#connectionByRanges(error));
    else this.#listener.onChange();
    if (error?.final) this.#view.showError(error.message);
  }

  /** For listeners on the element that came late. */
  tellAgain() {
    if (this.#state === null) return;
    const detail = { state: this.#state, log: { ...this.#log } };
    this.#element.dispatchEvent(new CustomEvent("log:state", { bubbles: false, detail }));
  }

  #connectionByRanges(error) {
    if (error === null) return "finished";
    this.#started = true;
    return error.final ? "stopped" : "waiting";
  }

  #networkIsBack() {
    this.#stream?.networkIsBack();
    this.#store.retryNow();
    this.#tell();
  }

  #streamListener() {
    return {
      onState: (state) => this.#set(state),
      onStart: () => this.#listener.onStart(),
      onLog: (change) => {
        if (change.state !== undefined) {
          this.#started = true;
          this.#error = null;
        }
        this.#setLog(change);
      },
      onLines: (last) => {
        this.#log.lines = Math.max(this.#log.lines, last);
        this.#listener.onLines();
      },
      onFinished: () => this.#listener.onChange(),
      onError: ({ detail }) => {
        this.#error = detail;
        this.#listener.onChange();
      },
    };
  }

  #set(connection) {
    this.#connection = connection;
    this.#wasLive ||= connection === "live";
    this.#tell();
    if (connection === "stopped" && this.#error) this.#view.showError(this.#error);
  }

  #setLog(change) {
    Object.assign(this.#log, change);
    this.#element.dataset.state = this.#log.state;
    this.#tell();
  }

  #tell() {
    const page = { online: this.#window.navigator.onLine, started: this.#started };
    const state = viewerState(this.#connection, this.#log.state, page);
    this.#status.set(state);
    this.#listener.onChange();
    if (state === this.#state) return;
    this.#state = state;
    const detail = { state, log: { ...this.#log } };
    this.#element.dispatchEvent(new CustomEvent("log:state", { bubbles: true, detail }));
  }
}
