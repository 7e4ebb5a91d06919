import { RowHeights } from "./row-heights.js";

/** One row unit; log.css has the same. */
export const ROW_PX = 20;
const OVERSCAN_ROWS = 24;
/** A selection keeps its rows in the document, up to this many. */
const MAX_SELECTED_ROWS = 5_000;
/** How near to the end counts as at the end: a fraction of a row, since browsers round. */
const END_PX = 4;
/** Rounds of drawing and measuring in one frame: measured heights may bring other rows into view. */
const MEASURING_ROUNDS = 3;
/** What is shown before a line that is gone to. */
const TARGET_CONTEXT_PX = 4 * ROW_PX;

/**
 * Draws the lines of a store that are in view, and some around them, into `pane`, which lies in `canvas`, which is as
 * large as all lines together and lies in the scrolling `viewport`.
 *
 * While wrapping, a row's height is worked out from its columns, and measured once it is drawn. Whatever happens
 * before the first line in view (lines dropped, heights measured), that line stays where it is.
 */
export class Scroller {
  #viewport;
  #canvas;
  #pane;
  #probe;
  #store;
  #rows;
  #decorate;
  #heights;
  #generation = -1;
  #mounted = new Map();
  #unfinished = null;
  #revision = -1;
  #columns = 0;
  #wrap = false;
  #wrapColumns = Infinity;
  #anchor = { number: 1, units: 0 };
  #target = null;
  #top = 0;
  #knownTop = 0;
  #drawnHeight = -1;

  /**
   * @param {{viewport: HTMLElement, canvas: HTMLElement, pane: HTMLElement, probe: HTMLElement}} elements `probe` holds
   *   `probe.textContent.length` characters of the log's font
   * @param {import("./line-store.js").LineStore} store
   * @param {import("./rows.js").Rows} rows
   * @param {{capacity: number, decorate: (row: HTMLElement, number: number) => void}} options lines kept at the most,
   *   and what is to be done to each row drawn
   */
  constructor({ viewport, canvas, pane, probe }, store, rows, { capacity, decorate }) {
    this.#viewport = viewport;
    this.#canvas = canvas;
    this.#pane = pane;
    this.#probe = probe;
    this.#store = store;
    this.#rows = rows;
    this.#decorate = decorate;
    this.#heights = new RowHeights(capacity);
  }

  /** Rows in the document, by line number. */
  get mounted() {
    return this.#mounted;
  }

  get atEnd() {
    const { scrollTop, scrollHeight, clientHeight } = this.#viewport;
    return scrollHeight - clientHeight - scrollTop <= END_PX;
  }

  set wrap(wrap) {
    this.#wrap = wrap;
    this.layOutAnew();
  }

  /** The width, the font or the wrapping changed: all heights are worked out again at the next `draw`. */
  layOutAnew() {
    this.#wrapColumns = this.#wrap ? this.#measureWrapColumns() : Infinity;
    this.#generation = -1;
  }

  /** Call on each scroll event; @returns {"up" | "down" | null} where the reader moved, null if it was this object. */
  scrolled() {
    const top = this.#viewport.scrollTop;
    const moved = top - this.#knownTop;
    if (Math.abs(moved) < 1) return null;
    this.#knownTop = top;
    return moved < 0 ? "up" : "down";
  }

  /** Put line `number` near the top at the next `draw`. */
  goTo(number) {
    this.#target = number;
  }

  /** @param {boolean} pinned whether the end of the log is to be in view */
  draw(pinned) {
    // Read before the canvas changes: one that shrinks may take the position with it.
    this.#top = this.#viewport.scrollTop;
    this.#sync();
    for (let round = 0; round < MEASURING_ROUNDS; round += 1) {
      this.#sizeCanvas();
      this.#place(pinned);
      this.#mount();
      if (!this.#wrap || !this.#measure()) break;
    }
    if (this.#wrap) {
      this.#sizeCanvas();
      this.#place(pinned);
    }
    this.#target = null;
  }

  /** Bring the heights to what the store has now. */
  #sync() {
    const store = this.#store;
    const heights = this.#heights;
    if (this.#generation !== store.generation) this.#restart();
    if (heights.first < store.first) heights.dropBefore(store.first);
    if (this.#unfinished !== null && this.#revision !== store.revision) this.#refill(this.#unfinished);
    while (heights.last < store.last) {
      const line = store.line(heights.last + 1);
      heights.push(this.#unitsOf(line));
      this.#columns = Math.max(this.#columns, line.columns);
      if (!line.ended) this.#unfinished = line.number;
    }
    this.#revision = store.revision;
  }

  #restart() {
    this.#generation = this.#store.generation;
    this.#heights.reset(this.#store.first);
    this.#unfinished = null;
    this.#columns = 0;
    for (const row of this.#mounted.values()) row.remove();
    this.#mounted.clear();
  }

  /** A line that had not ended when it was drawn has more text now. */
  #refill(number) {
    this.#unfinished = null;
    const line = this.#store.line(number);
    if (!line) return;
    this.#heights.set(number, this.#unitsOf(line));
    this.#columns = Math.max(this.#columns, line.columns);
    if (!line.ended) this.#unfinished = number;
    const row = this.#mounted.get(number);
    if (!row) return;
    this.#rows.fill(row, line);
    this.#decorate(row, number);
  }

  #unitsOf(line) {
    return Math.max(1, Math.ceil(line.columns / this.#wrapColumns));
  }

  #sizeCanvas() {
    const height = this.#heights.total * ROW_PX;
    if (height !== this.#drawnHeight) this.#canvas.style.setProperty("block-size", `${height}px`);
    this.#drawnHeight = height;
    this.#canvas.style.setProperty("--log-columns", String(this.#columns));
    this.#viewport.style.setProperty("--log-digits", String(Math.max(3, String(this.#heights.last).length)));
  }

  /** Scroll to the end, to a target, or by as much as came or went before the first line in view. */
  #place(pinned) {
    if (pinned) {
      this.#scrollTo(this.#drawnHeight);
    } else {
      const shift = (this.#heights.offsetOf(this.#anchor.number) - this.#anchor.units) * ROW_PX;
      // Nothing is written where nothing moved: it would end a smooth scroll that the reader has begun.
      if (this.#target !== null) this.#scrollTo(this.#heights.offsetOf(this.#target) * ROW_PX - TARGET_CONTEXT_PX);
      else if (shift !== 0) this.#scrollTo(this.#top + shift);
    }
    this.#dropAnchor();
  }

  #scrollTo(top) {
    if (Math.abs(this.#viewport.scrollTop - top) >= 1) this.#viewport.scrollTop = top;
    this.#knownTop = this.#viewport.scrollTop;
  }

  /** Remember which line is the first in view, and where it is. */
  #dropAnchor() {
    this.#top = this.#viewport.scrollTop;
    const number = this.#heights.numberAt(Math.floor(this.#top / ROW_PX));
    this.#anchor = { number, units: this.#heights.offsetOf(number) };
  }

  /** Have exactly the rows in the document that are wanted there. */
  #mount() {
    const [first, last] = this.#wanted();
    for (const [number, row] of this.#mounted) {
      if (number >= first && number <= last) continue;
      row.remove();
      this.#mounted.delete(number);
    }
    let next = this.#pane.firstChild;
    for (let number = first; number <= last; number += 1) {
      const row = this.#mounted.get(number);
      if (row) next = row.nextSibling;
      else this.#pane.insertBefore(this.#create(number), next);
    }
    this.#pane.style.setProperty("inset-block-start", `${this.#heights.offsetOf(first) * ROW_PX}px`);
  }

  #create(number) {
    const row = this.#rows.create(this.#store.line(number));
    this.#decorate(row, number);
    this.#mounted.set(number, row);
    return row;
  }

  #wanted() {
    const heights = this.#heights;
    if (heights.last < heights.first) return [heights.first, heights.last];
    const topUnit = Math.floor(this.#top / ROW_PX) - OVERSCAN_ROWS;
    const endUnit = Math.ceil((this.#top + this.#viewport.clientHeight) / ROW_PX) + OVERSCAN_ROWS;
    const seen = [heights.numberAt(topUnit), heights.numberAt(endUnit)];
    const selected = this.#selected();
    const first = Math.max(heights.first, Math.min(seen[0], ...selected));
    const last = Math.min(heights.last, Math.max(seen[1], ...selected));
    return last - first < MAX_SELECTED_ROWS ? [first, last] : seen;
  }

  /** Numbers of the lines where a selection begins and ends. */
  #selected() {
    const selection = this.#viewport.ownerDocument.getSelection();
    if (!selection || selection.isCollapsed || !this.#pane.contains(selection.anchorNode)) return [];
    return [selection.anchorNode, selection.focusNode]
      .map((node) => Number((node.closest ? node : node.parentElement).closest("[data-line]")?.dataset.line))
      .filter((number) => number > 0);
  }

  /** @returns {boolean} whether a drawn row has another height than was thought */
  #measure() {
    let changed = false;
    for (const [number, row] of this.#mounted) {
      const units = Math.max(1, Math.round(row.offsetHeight / ROW_PX));
      changed = this.#heights.set(number, units) || changed;
    }
    return changed;
  }

  #measureWrapColumns() {
    const { marginInlineStart, marginInlineEnd } = getComputedStyle(this.#probe);
    const room = this.#viewport.clientWidth - Number.parseFloat(marginInlineStart) - Number.parseFloat(marginInlineEnd);
    const character = this.#probe.getBoundingClientRect().width / this.#probe.textContent.length;
    return Math.max(1, Math.floor(room / character));
  }
}
