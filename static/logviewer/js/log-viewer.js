import { BlockStore } from "./block-store.js";
import { ChannelRefresh } from "./channel-refresh.js";
import { DrawPace } from "./draw-pace.js";
import { askFirst, firstTarget, opensAtEnd, sourceOf } from "./first-lines.js";
import { Follow } from "./follow.js";
import { LogConnection } from "./log-connection.js";
import { LogView } from "./log-view.js";
import { formatMark, isMarked } from "./marks.js";
import { OwnScrolling } from "./own-scrolling.js";
import { readPreference, writePreference } from "./preferences.js";
import { ReaderInput } from "./reader-input.js";
import { RetryDelays } from "./retry.js";
import { RowPane } from "./row-pane.js";
import { Rows } from "./rows.js";
import { Scroller } from "./scroller.js";
import { ALL_ROWS } from "./visible-rows.js";

const EMPTY_TEXTS = {
  live: "No output yet.",
  silent: "No output yet.",
  finished: "This log is empty.",
  stopped: "Nothing of this log could be shown.",
};

/**
 * A log of any size in the page, live while it is written. It wires store, stream, rows and scrolling together, and
 * owns what is between them: whether the end is followed, which lines are marked, and when to draw. What features.js
 * lists is built on what is public here.
 *
 * The element says what to show: `data-log-id`, `data-socket`, `data-raw`, `data-state` (`open`, `finished`,
 * `abandoned`), `data-size`, `data-lines`, `data-started`, and `data-opens-at`, where it opens unless the address marks
 * lines: `L120`, `end`, or else the end of a log that is written and the top of one that is over. It dispatches
 * `log:state` with `detail` `{state, log}`, where `state` is `connecting`, `loading`, `live`, `silent`, `reconnecting`,
 * `offline`, `finished` or `stopped`; `log:rows` with `{first, last}`, the numbers of the lines in view; and `log:mark`
 * with `{mark}`.
 */
export class LogViewer {
  #window;
  #closing = new AbortController();
  #decorators = [];
  #arrivals = [];
  #pane;
  #scroller;
  #scrolling;
  #input;
  #connection = null;
  #follow;
  #mark = null;
  #target = null;
  #refresh = new ChannelRefresh(() => this.#mayGrow && this.store.refresh());
  #pace;
  #inView = "";
  #featureDelays = new RetryDelays(() => this.#installFeatures());

  /** @param {HTMLElement} element its content is replaced, and taken away by `close` */
  constructor(element) {
    const { dataset, ownerDocument } = element;
    this.element = element;
    this.#window = ownerDocument.defaultView;
    this.#pace = new DrawPace(() => this.#draw(), this.#window);
    this.log = {
      id: Number(dataset.logId),
      state: dataset.state,
      size: Number(dataset.size) || 0,
      lines: Number(dataset.lines) || 0,
      started: Date.parse(dataset.started),
      raw: dataset.raw,
    };
    this.view = new LogView(element, dataset.raw, {
      follow: () => this.setFollow(!this.#follow.active),
      wrap: () => this.setWrap(!this.wrap),
      end: () => this.setFollow(true),
    });
    const source = sourceOf(element);
    this.store = new BlockStore(source, {
      onChange: () => this.drawSoon(),
      onError: (error) => this.#connection.storeTold(error),
    });
    this.#pane = new RowPane(this.view.pane, new Rows(ownerDocument), (row) => this.#lineAt(row), this.#decorators);
    this.#scroller = new Scroller(this.view, this.#pane);
    this.#scrolling = new OwnScrolling(this.view.viewport, this.#scroller, (way) => this.moved(way), this.signal);
    this.#input = new ReaderInput(this, this.#scroller, this.#scrolling);
    this.#mark = this.#input.readAddress();
    this.#target = firstTarget(element);
    this.#follow = new Follow(opensAtEnd(element));
    this.#connection = new LogConnection(element, this.log, this.store, this.view, this.#listener(), this.signal);
    this.#scroller.wrap = readPreference("wrap", false) === true;
    this.view.showWrap(this.wrap);
    this.addDecorator({ numbered: (row, number) => row.classList.toggle("log-row-marked", this.#isMarked(number)) });
    this.#installFeatures();
    this.store.prime(askFirst(element, source));
    this.drawSoon();
  }

  get signal() {
    return this.#closing.signal;
  }

  /** Close the connection and empty the element. */
  close() {
    this.#closing.abort();
    this.#featureDelays.reset();
    this.store.close();
    this.#pace.close();
    this.#refresh.close();
    this.element.replaceChildren();
  }

  /** Others know that the writer went silent, or came back. */
  heard(state) {
    this.#connection.heard(state);
  }

  // What features build on: see features.js

  get following() {
    return this.#follow.active;
  }

  get canFollow() {
    return this.#connection.canFollow;
  }

  get wrap() {
    return this.#scroller.wrap;
  }

  get mark() {
    return this.#mark;
  }

  setFollow(active) {
    if (active) this.#follow.start();
    else this.#follow.stop(this.#last);
    if (active) this.#target = null;
    this.drawSoon();
  }

  setWrap(wrap) {
    writePreference("wrap", wrap);
    this.view.showWrap(wrap);
    this.#scroller.wrap = wrap;
    this.drawSoon();
  }

  /** Show only lines of these channels, null for all; who does not follow the end stays where they read. */
  setChannels(channels) {
    const first = this.firstVisible();
    if (!this.following && first !== null) {
      const inView = this.#mark !== null && this.#mark.first >= first && this.#mark.first <= this.lastVisible();
      this.#target ??= { first: inView ? this.#mark.first : first, center: false };
    }
    this.#scroller.layOutAnew();
    this.store.setChannels(channels);
  }

  setRows(rows) {
    this.#scroller.setRows(rows ?? ALL_ROWS, this.store.total);
    this.drawSoon();
  }

  addDecorator(decorator) {
    this.#decorators.push(decorator);
  }

  redecorate() {
    this.#pane.refill();
  }

  addKeys(taken) {
    this.#input.addKeys(taken);
  }

  /** Rows changed their size: the font did, or what stands beside the text. */
  layOutAnew() {
    this.#scroller.layOutAnew();
    this.drawSoon();
  }

  firstVisible() {
    return this.#numberAt(this.#scroller.inView.first);
  }

  lastVisible() {
    return this.#numberAt(this.#scroller.inView.last);
  }

  /** Show a line; resolves once it is drawn, or another one is gone to. */
  async goTo(number, { center = true, mark = false } = {}) {
    this.setFollow(false);
    if (mark) this.setMark({ first: number, last: number });
    const index = await this.store.indexOf(number);
    const row = this.#scroller.rows.rowOf(index);
    this.#scroller.goTo(row, center);
    for (const { resolve } of this.#arrivals.splice(0)) resolve(); // its row may never come
    await new Promise((resolve) => {
      this.#arrivals.push({ row, resolve });
      this.drawSoon();
    });
  }

  setMark(mark) {
    this.#mark = mark;
    const { location, history } = this.#window;
    history.replaceState(history.state, "", formatMark(mark) || location.pathname + location.search);
    this.#markChanged();
  }

  /** The address names other lines now, or none. */
  showAddress(mark) {
    this.#mark = this.#target = mark;
    if (mark !== null) this.setFollow(false);
    this.#markChanged();
  }

  /** The reader scrolled. */
  moved(way) {
    if (way === "up") this.#follow.stop(this.#last);
    else if (this.#scroller.atEnd && this.canFollow) this.#follow.start();
    this.#target = null;
    this.drawSoon();
  }

  /** The line that a row shows. */
  lineOf(element) {
    return this.#pane.lineOf(element);
  }

  drawSoon() {
    this.#pace.soon();
  }

  /** What stands around the lines comes behind them: nobody waits for it to read. A server that is away is asked again. */
  async #installFeatures() {
    let features;
    try {
      features = await import("./features.js");
    } catch {
      this.#featureDelays.wait();
      return;
    }
    if (this.signal.aborted) return;
    for (const install of features.FEATURES) install(this);
    this.#inView = "";
    this.redecorate();
    this.drawSoon();
    this.#connection.tellAgain();
    this.#input.replay();
  }

  // What comes

  #listener() {
    return {
      onChange: () => this.drawSoon(),
      onStart: () => this.drawSoon(),
      onLines: () => this.#pace.live(),
    };
  }

  /** Number of the last line there is, as far as is known. */
  get #last() {
    return Math.max(this.log.lines, this.store.total);
  }

  // What is shown

  #lineAt(row) {
    const index = this.#scroller.rows.indexAt(row);
    const line = this.store.line(index);
    return { index, line, number: line?.number ?? (this.store.channels === null ? index : null) };
  }

  #isMarked(number) {
    return number !== null && isMarked(this.#mark, number);
  }

  #numberAt(row) {
    return row >= 0 && row < this.#scroller.rowCount ? this.#lineAt(row).number : null;
  }

  #markChanged() {
    this.redecorate();
    this.drawSoon();
    this.element.dispatchEvent(new CustomEvent("log:mark", { bubbles: true, detail: { mark: this.#mark } }));
  }

  /** A marked line that has come is gone to, once. */
  #approachTarget() {
    if (this.#target === null || this.store.total === 0) return;
    const filtered = this.store.channels !== null;
    const last = filtered ? this.#last : this.store.total;
    const { first, center = this.#mark === null } = this.#target;
    if (first > last && this.canFollow) return;
    this.#target = null;
    const number = Math.min(first, last);
    if (filtered) {
      this.goTo(number, { center }).catch(() => {}); // the place is not known; the store tells why where it asks for lines
      return;
    }
    // At once: the beginning is not to be drawn, and asked for, first.
    this.#follow.stop(this.#last);
    this.#scroller.resized();
    this.#scroller.goTo(this.#scroller.rows.rowOf(number), center);
  }

  #draw() {
    if (!this.#connection.wasLive) this.#follow.saw(this.#last);
    this.#approachTarget();
    this.#scroller.draw(this.store.total, this.#follow.active);
    if (this.#scroller.atEnd) this.#follow.saw(this.store.channels === null ? this.store.total : this.#last);
    this.#scrolling.update();
    this.#input.drawn();
    this.#want();
    if (this.#hasLines) this.view.dropPreview();
    this.#showFacts();
    this.#arrive();
    this.#tellRows();
  }

  /** Whether lines are drawn, or it is known why not. */
  get #hasLines() {
    const { first, last } = this.#scroller.inView;
    if (last < first) return this.store.total === 0 && (this.log.lines === 0 || this.#connection.error !== null);
    return this.#lineAt(first).line !== undefined || this.#connection.error !== null;
  }

  #want() {
    const { first, last } = this.#scroller.inView;
    this.#pace.drew(this.store.total, last - first + 1);
    if (last < first) this.store.want(1, 1);
    else this.store.want(this.#scroller.rows.indexAt(first), this.#scroller.rows.indexAt(last));
    if (this.#mayGrow) this.#refresh.soon(this.#connection.size);
  }

  /** Whether lines of chosen channels may come; the last ones come after the end was told. */
  get #mayGrow() {
    const { channels, complete } = this.store;
    return channels !== null && !complete && (this.canFollow || this.log.state === "finished");
  }

  #showFacts() {
    const { view } = this;
    view.showDigits(String(this.#last).length);
    view.showFollow(this.#follow.active, this.canFollow);
    view.showNewLines(this.#follow.newLines(this.#last));
    view.showCounts(Math.max(this.log.lines, this.#last), this.#connection.size);
    const { error, state } = this.#connection;
    const empty = this.#scroller.rowCount === 0;
    // Why nothing came, while it is tried again; where it ended with that, the status line has it.
    const trouble = error !== null && state !== "stopped" ? error : null;
    view.showEmpty(empty ? (trouble ?? EMPTY_TEXTS[state] ?? "") : "");
    view.showNotice(empty || trouble === null ? "" : `Some lines are missing here. ${trouble} It is tried again.`);
  }

  /** Whoever waits for a row to be drawn with its text is told. */
  #arrive() {
    if (this.#arrivals.length === 0) return;
    const waiting = this.#arrivals;
    this.#arrivals = [];
    for (const arrival of waiting) {
      const there = arrival.row >= this.#scroller.rowCount || this.#lineAt(arrival.row).line !== undefined;
      if (there) arrival.resolve();
      else this.#arrivals.push(arrival);
    }
  }

  #tellRows() {
    const detail = { first: this.firstVisible(), last: this.lastVisible() };
    const inView = `${detail.first} ${detail.last} ${this.store.total}`;
    if (inView === this.#inView) return;
    this.#inView = inView;
    this.element.dispatchEvent(new CustomEvent("log:rows", { bubbles: true, detail }));
  }
}
