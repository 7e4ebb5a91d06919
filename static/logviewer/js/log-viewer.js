import { Follow } from "./follow.js";
import { LineStore, MAX_LINES } from "./line-store.js";
import { LogSocket } from "./log-socket.js";
import { QuietStatus, viewerState } from "./log-status.js";
import { LogView } from "./log-view.js";
import { clickMark, formatMark, isMarked, parseMark } from "./marks.js";
import { readPreference, writePreference } from "./preferences.js";
import { Rows } from "./rows.js";
import { Scroller } from "./scroller.js";
import { selectedText, selectsIn } from "./selection.js";

const EMPTY_TEXTS = {
  live: "No output yet.",
  silent: "No output yet.",
  finished: "This log is empty.",
  stopped: "Nothing of this log could be shown.",
};
const EDITABLE = "input, textarea, select, [contenteditable]";

function socketAddress(path, base) {
  const address = new URL(path, base);
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  return address.href;
}

/**
 * A log in the page, live while it is written. It wires socket, store, rows and drawing together, and owns what is
 * between them: whether the end is followed, which lines are marked, and when to draw.
 *
 * The element says what to show: `data-socket`, `data-raw`, `data-state` (`open`, `finished`, `abandoned`),
 * `data-size`, `data-lines`, `data-started`, and `data-opens-at`, where it opens unless the address marks lines: `L120`,
 * `end`, or anything else for the end of a log that grows and the top of one that is over. It dispatches `log:state`
 * with `detail` `{state, log: {state, size, lines}}`, where `state` is `connecting`, `loading`, `live`, `silent`, `reconnecting`, `offline`, `finished` or
 * `stopped`.
 */
export class LogViewer {
  #element;
  #window;
  #listening = new AbortController();
  #store = new LineStore();
  #view;
  #scroller;
  #socket;
  #status;
  #follow;
  #log;
  #socketState = "connecting";
  #started = false;
  #wasLive = false;
  #state = null;
  #error = null;
  #wrap = readPreference("wrap", false) === true;
  #width = 0;
  #mark;
  #markAnchor;
  #target;
  #frame = null;

  /** @param {HTMLElement} element its content is replaced, and taken away by `close` */
  constructor(element) {
    const { dataset, ownerDocument } = element;
    this.#element = element;
    this.#window = ownerDocument.defaultView;
    this.#log = { state: dataset.state, size: Number(dataset.size) || 0, lines: Number(dataset.lines) || 0 };
    this.#readAddress();
    this.#target ??= this.#opensAt();
    const opensAtEnd = this.#log.state !== "finished" || dataset.opensAt === "end";
    this.#follow = new Follow(opensAtEnd && this.#target === null);
    this.#view = new LogView(element, dataset.raw, {
      follow: () => this.#setFollow(!this.#follow.active),
      wrap: () => this.#setWrap(!this.#wrap),
      end: () => this.#setFollow(true),
    });
    this.#scroller = new Scroller(this.#view, this.#store, new Rows(ownerDocument, Date.parse(dataset.started)), {
      capacity: MAX_LINES,
      decorate: (row, number) => this.#decorate(row, number),
    });
    this.#status = new QuietStatus((state) => this.#view.showState(state));
    this.#setWrap(this.#wrap);
    this.#listen(ownerDocument);
    this.#socket = new LogSocket(socketAddress(dataset.socket, ownerDocument.baseURI), this.#socketListener(), {
      from: `tail:${MAX_LINES}`,
    });
  }

  /** Close the connection and empty the element. */
  close() {
    this.#listening.abort();
    this.#socket.close();
    this.#status.close();
    if (this.#frame !== null) this.#window.cancelAnimationFrame(this.#frame);
    this.#element.replaceChildren();
  }

  /** Others know that the writer went silent, or came back: the log's own socket says it only at its start. */
  heard(state) {
    if (this.#started && this.#log.state !== "finished" && state !== "finished") this.#setLog({ state });
  }

  // What the socket says

  #socketListener() {
    return {
      onState: (state) => this.#setSocketState(state),
      onStart: (hello) => {
        this.#store.start(hello.line);
        this.#target = this.#mark ?? this.#opensAt();
      },
      onHello: ({ state, size, lines }) => {
        this.#started = true;
        this.#error = null;
        this.#setLog({ state, size, lines });
      },
      onFrame: (frame) => {
        this.#store.append(frame);
        this.#drawSoon();
      },
      onSize: ({ size, lines }) => this.#setLog({ size, lines }),
      onFinished: ({ state, size, lines }) => {
        this.#store.finish();
        this.#setLog({ state, size, lines });
      },
      onError: ({ detail }) => {
        this.#error = detail;
        this.#drawSoon();
      },
    };
  }

  #setSocketState(state) {
    this.#socketState = state;
    // What was stored before the page came is not new, drawn or not.
    if (!this.#wasLive) this.#follow.saw(this.#store.last);
    this.#wasLive ||= state === "live";
    this.#tellState();
    if (state === "stopped" && this.#error) this.#view.showError(this.#error);
  }

  #setLog(change) {
    Object.assign(this.#log, change);
    this.#element.dataset.state = this.#log.state;
    this.#tellState();
    this.#drawSoon();
  }

  #tellState() {
    const page = { online: this.#window.navigator.onLine, started: this.#started };
    const state = viewerState(this.#socketState, this.#log.state, page);
    this.#status.set(state);
    this.#drawSoon();
    if (state === this.#state) return;
    this.#state = state;
    const detail = { state, log: { ...this.#log } };
    this.#element.dispatchEvent(new CustomEvent("log:state", { bubbles: true, detail }));
  }

  // What the reader does

  #listen(document) {
    const { signal } = this.#listening;
    const { viewport } = this.#view;
    viewport.addEventListener("scroll", () => this.#scrolled(), { signal, passive: true });
    viewport.addEventListener("click", (event) => this.#clicked(event), { signal });
    viewport.addEventListener("copy", (event) => this.#copy(event), { signal });
    document.addEventListener("selectionchange", () => this.#selected(), { signal });
    document.addEventListener("keydown", (event) => this.#pressed(event), { signal });
    this.#window.addEventListener("hashchange", () => this.#addressChanged(), { signal });
    this.#window.addEventListener("online", () => this.#socket.retryNow(), { signal });
    this.#window.addEventListener("offline", () => this.#tellState(), { signal });
    const resized = new ResizeObserver(() => this.#resized());
    resized.observe(viewport);
    signal.addEventListener("abort", () => resized.disconnect());
  }

  #scrolled() {
    const direction = this.#scroller.scrolled();
    if (direction === "up") this.#follow.stop(this.#store.last);
    if (direction === "down" && this.#scroller.atEnd && this.#canFollow) this.#follow.start();
    this.#drawSoon();
  }

  #selected() {
    if (!selectsIn(this.#element.ownerDocument.getSelection(), this.#view.pane)) return;
    this.#follow.stop(this.#store.last);
    this.#drawSoon();
  }

  #copy(event) {
    const selection = this.#element.ownerDocument.getSelection();
    if (!selectsIn(selection, this.#view.pane)) return;
    event.clipboardData.setData("text/plain", selectedText(selection, this.#view.pane.children));
    event.preventDefault();
  }

  #pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.(EDITABLE)) return;
    if (event.key === "f" && this.#canFollow) this.#setFollow(!this.#follow.active);
    else if (event.key === "w") this.#setWrap(!this.#wrap);
    else if (!this.#view.viewport.contains(event.target)) return;
    else if (event.key === "Escape" && this.#mark !== null) this.#setMark(null);
    // Where lines come fast the browser's own way to the end arrives too late.
    else if (event.key === "End" && this.#canFollow) this.#setFollow(true);
  }

  #clicked(event) {
    const link = event.target.closest(".log-number");
    if (!link || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const number = Number(link.dataset.number);
    if (!event.shiftKey) this.#markAnchor = number;
    this.#setMark(clickMark(this.#mark, number, event.shiftKey, this.#markAnchor));
    this.#follow.stop(this.#store.last);
  }

  #resized() {
    const width = this.#view.viewport.clientWidth;
    if (this.#wrap && width !== this.#width) this.#scroller.layOutAnew();
    this.#width = width;
    this.#drawSoon();
  }

  // What follows from it

  get #canFollow() {
    return this.#log.state !== "finished" && this.#socketState !== "stopped";
  }

  #setFollow(active) {
    if (active) this.#follow.start();
    else this.#follow.stop(this.#store.last);
    this.#drawSoon();
  }

  #setWrap(wrap) {
    this.#wrap = wrap;
    writePreference("wrap", wrap);
    this.#view.showWrap(wrap);
    this.#scroller.wrap = wrap;
    this.#drawSoon();
  }

  #setMark(mark) {
    this.#mark = mark;
    const { location, history } = this.#window;
    history.replaceState(history.state, "", formatMark(mark) || location.pathname + location.search);
    this.#showMark();
  }

  #showMark() {
    for (const [number, row] of this.#scroller.mounted) this.#decorate(row, number);
    this.#drawSoon();
  }

  #decorate(row, number) {
    row.classList.toggle("log-row-marked", isMarked(this.#mark, number));
  }

  #readAddress() {
    this.#mark = parseMark(this.#window.location.hash);
    this.#markAnchor = this.#mark?.first ?? 1;
    this.#target = this.#mark;
  }

  #opensAt() {
    return parseMark(`#${this.#element.dataset.opensAt ?? ""}`);
  }

  #addressChanged() {
    this.#readAddress();
    if (this.#mark !== null) this.#follow.stop(this.#store.last);
    this.#showMark();
  }

  /** A marked line that has come is scrolled to, once. */
  #approachTarget() {
    if (this.#target === null || this.#target.first > this.#store.last) return;
    this.#scroller.goTo(Math.max(this.#target.first, this.#store.first));
    this.#target = null;
  }

  #drawSoon() {
    this.#frame ??= this.#window.requestAnimationFrame(() => {
      this.#frame = null;
      this.#draw();
    });
  }

  #draw() {
    const { last, leftOut } = this.#store;
    if (!this.#wasLive) this.#follow.saw(last);
    this.#approachTarget();
    this.#scroller.draw(this.#follow.active);
    this.#view.showFollow(this.#follow.active, this.#canFollow);
    this.#view.showNewLines(this.#follow.newLines(last));
    this.#view.showCounts(Math.max(this.#log.lines, last), Math.max(this.#log.size, this.#socket.offset ?? 0));
    const missing = this.#mark !== null && this.#mark.first <= leftOut ? this.#mark.first : null;
    this.#view.showLeftOut(leftOut, missing);
    this.#view.showEmpty(this.#emptyText());
  }

  #emptyText() {
    if (this.#store.count > 0) return "";
    // Why nothing came yet, while it is tried again; where it ended with that, the status line has it.
    if (this.#error !== null && this.#state !== "stopped") return this.#error;
    return EMPTY_TEXTS[this.#state] ?? "";
  }
}
