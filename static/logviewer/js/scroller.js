import { RowHeights } from "./row-heights.js";
import { ScrollSpace, MAX_SPACE_PX } from "./scroll-space.js";
import { ALL_ROWS } from "./visible-rows.js";

/** One row unit; log.css has the same. */
export const ROW_PX = 20;
/** Rows drawn beyond what is seen: where the browser scrolls by itself it is ahead of the page by a frame or two. */
const OVERSCAN_ROWS = 24;
const SCALED_OVERSCAN_ROWS = 4;
/** A selection keeps its rows in the document, up to this many. */
const MAX_SELECTED_ROWS = 5_000;
/** How near to the end counts as at the end: a fraction of a row, since browsers round. */
const END_PX = 4;
/** Rounds of drawing and measuring in one frame: measured heights may bring other rows into view. */
const MEASURING_ROUNDS = 3;
/** What is shown before a line that is gone to and is not to stand in the middle. */
const TARGET_CONTEXT_PX = 4 * ROW_PX;
/** More than any row's height. */
const BEYOND_PX = 1_000_000;
const MAX_NATIVE_ROWS = MAX_SPACE_PX / ROW_PX;

/**
 * Shows rows in `pane`, which lies in `canvas`, which lies in the scrolling `viewport`.
 *
 * The state is an anchor `{row, y}`: that row's upper edge is `y` px below the viewport's. Whatever happens elsewhere
 * (rows come, heights get known, the width changes), it stays there. Up to 8 M px the canvas is as high as all rows
 * together and the browser scrolls; above, the canvas is 8 M px, rows stick to the viewport, `moveBy` moves them, and
 * the scroll bar shows in proportion where they are.
 *
 * While wrapping, a row's height is known once it has been drawn; until then it counts as one unit.
 */
export class Scroller {
  #elements;
  #rowPane;
  #rows = ALL_ROWS;
  #count = 0;
  #space = new ScrollSpace();
  #heights = null;
  #anchor = { row: 0, y: 0 };
  #knownTop = 0;
  #view = 0;
  #drawn = {};
  #columns = 0;
  #wrap = false;
  #held = null;

  /**
   * @param {{viewport: HTMLElement, canvas: HTMLElement, pane: HTMLElement}} elements
   * @param {import("./row-pane.js").RowPane} rowPane
   */
  constructor({ viewport, canvas, pane }, rowPane) {
    this.#elements = { viewport, canvas, pane };
    this.#rowPane = rowPane;
  }

  get rows() {
    return this.#rows;
  }

  get rowCount() {
    return this.#count;
  }

  /** Whether the viewer moves the rows, not the browser. */
  get isScaled() {
    return this.#drawn.scaled === true;
  }

  get wrap() {
    return this.#wrap;
  }

  set wrap(wrap) {
    this.#wrap = wrap;
    this.layOutAnew();
  }

  get atEnd() {
    return this.#held === "end" || this.#place() >= this.#space.end - END_PX;
  }

  /** First and last row in view; last < first where there is none. */
  get inView() {
    if (this.#count === 0) return { first: 0, last: -1 };
    const first = this.#anchor.row;
    if (!this.#wrap) return { first, last: this.#rowAt(this.#place() + this.#view - 1) };
    let last = first;
    for (let y = this.#anchor.y + this.#heightOf(first); y < this.#view && last < this.#count - 1; ) {
      last += 1;
      y += this.#heightOf(last);
    }
    return { first, last };
  }

  /** The width, the font or the wrapping changed: heights are measured anew at the next `draw`. */
  layOutAnew() {
    this.#heights = null;
  }

  /** The viewport has another size. */
  resized() {
    this.#view = this.#elements.viewport.clientHeight;
  }

  /** Other lines are rows now, or the present ones in another way; the first line in view stays. */
  setRows(rows, total) {
    const index = this.#count > 0 ? this.#rows.indexAt(this.#anchor.row) : 1;
    this.#held = null;
    this.#rows = rows;
    this.#count = rows.count(total);
    this.#heights = null;
    this.#anchor.row = Math.max(0, Math.min(rows.rowOf(index), this.#count - 1));
  }

  /** Call on each scroll event; @returns {"up" | "down" | null} where the reader moved, null if it was this object. */
  scrolled({ dragging = false } = {}) {
    const { viewport } = this.#elements;
    // Some browsers go beyond the ends for a moment, and spring back.
    const top = Math.max(0, Math.min(viewport.scrollTop, this.#space.topEnd));
    const moved = top - this.#knownTop;
    if (Math.abs(moved) < 1) return null;
    this.#knownTop = top;
    if (moved < 0 && this.#isPushed(top)) return null;
    this.#held = null;
    // Who selects beyond the edge moves by pixels, not in proportion.
    if (this.isScaled && dragging) this.moveBy(moved);
    else this.#setPlace(this.#space.placeOf(top));
    return moved < 0 ? "up" : "down";
  }

  /** Whether the viewport has become higher since it was drawn: at its end the browser moves then, not the reader. */
  #isPushed(top) {
    const { clientHeight, scrollHeight } = this.#elements.viewport;
    return clientHeight > this.#drawn.view && top >= scrollHeight - clientHeight - 1;
  }

  /** Move what is seen by so many px; shown at the next `draw`. */
  moveBy(px) {
    this.#held = null;
    if (this.#isLoose) this.#anchor.y -= px;
    else this.#setPlace(this.#space.clamp(this.#place() + px));
  }

  /** As far as keys go: "page" of what is seen, the "start", the "end". */
  get pagePx() {
    return Math.max(ROW_PX, this.#view - 2 * ROW_PX);
  }

  moveToStart() {
    this.#held = null;
    this.#anchor = { row: 0, y: 0 };
  }

  /** The end stays in view, whatever heights get known, until the reader moves. */
  moveToEnd() {
    this.#held = "end";
  }

  #putEnd() {
    this.#setPlace(this.#space.end);
    if (this.#isLoose) this.#anchor = { row: Math.max(0, this.#count - 1), y: -BEYOND_PX };
  }

  /** A row stands in the middle of what is seen, or near its top, whatever heights get known, until the reader moves. */
  goTo(row, center) {
    const y = center ? Math.max(0, Math.floor((this.#view - ROW_PX) / 2)) : TARGET_CONTEXT_PX;
    this.#held = { row, y };
  }

  /**
   * @param {number} total lines of the store
   * @param {boolean} following whether the end of the log is to be in view
   */
  draw(total, following) {
    if (following) this.#held = null;
    const pinned = following || this.#held === "end";
    this.#count = this.#rows.count(total);
    this.#view ||= this.#elements.viewport.clientHeight;
    for (let round = 0; round < MEASURING_ROUNDS; round += 1) {
      this.#measureSpace();
      if (pinned) this.#putEnd();
      else if (this.#held !== null) this.#anchor = { ...this.#held };
      this.#mount();
      if (!this.#wrap || !this.#measureRows()) break;
    }
    this.#measureSpace();
    if (!pinned && this.#held !== null) this.#anchor = { ...this.#held };
    if (this.#isLoose) this.#settleLoose(pinned);
    else this.#settle(pinned);
  }

  /** Whether only the heights of what is drawn are known. */
  get #isLoose() {
    return this.#wrap && this.#space.isScaled;
  }

  #measureSpace() {
    const treed = this.#wrap && this.#count <= MAX_NATIVE_ROWS;
    if (!treed) this.#heights = null;
    else this.#growHeights();
    this.#space.set((this.#heights?.total ?? this.#count) * ROW_PX, this.#view);
  }

  #growHeights() {
    if (this.#heights === null || this.#heights.last > this.#count || this.#heights.capacity < this.#count) {
      this.#heights = new RowHeights(Math.min(MAX_NATIVE_ROWS, Math.max(1024, 2 * this.#count)));
    }
    this.#heights.fill(this.#count);
  }

  /** Distance of a row's upper edge from the beginning. */
  #offsetOf(row) {
    return (this.#heights?.offsetOf(row + 1) ?? row) * ROW_PX;
  }

  #rowAt(place) {
    const unit = Math.floor(place / ROW_PX);
    const row = this.#heights === null ? unit : this.#heights.numberAt(unit) - 1;
    return Math.max(0, Math.min(row, this.#count - 1));
  }

  #heightOf(row) {
    if (this.#heights !== null) return this.#offsetOf(row + 1) - this.#offsetOf(row);
    return this.#wrap ? (this.#rowPane.element(row)?.offsetHeight ?? ROW_PX) : ROW_PX;
  }

  #place() {
    return this.#space.clamp(this.#offsetOf(this.#anchor.row) - this.#anchor.y);
  }

  #setPlace(place) {
    const row = this.#rowAt(place);
    this.#anchor = { row, y: this.#offsetOf(row) - place };
  }

  /** Have the rows in the document that are seen, that may be seen next, and that are selected. */
  #mount() {
    const seen = this.#isLoose ? this.#looselySeen() : this.#seen();
    const selected = this.#selected();
    let first = Math.max(0, Math.min(seen[0], ...selected));
    let last = Math.min(this.#count - 1, Math.max(seen[1], ...selected));
    if (last - first >= MAX_SELECTED_ROWS) {
      first = Math.max(0, seen[0]);
      last = Math.min(this.#count - 1, seen[1]);
    }
    this.#columns = Math.max(this.#columns, this.#rowPane.mount(first, last));
  }

  #seen() {
    const overscan = this.#space.isScaled ? SCALED_OVERSCAN_ROWS : OVERSCAN_ROWS;
    const place = this.#place();
    return [this.#rowAt(place) - overscan, this.#rowAt(place + this.#view) + overscan];
  }

  /** No row is less than a unit high: so many may be seen at the most. */
  #looselySeen() {
    const { row, y } = this.#anchor;
    const rows = (px) => Math.ceil(Math.max(0, px) / ROW_PX) + SCALED_OVERSCAN_ROWS;
    const last = row + rows(this.#view - y);
    const nearEnd = last >= this.#count;
    return [(nearEnd ? Math.min(row, this.#count) : row) - rows(nearEnd ? this.#view : y), last];
  }

  /** Rows where a selection begins and ends. */
  #selected() {
    const { pane } = this.#elements;
    const selection = pane.ownerDocument.getSelection();
    if (selection === null || selection.isCollapsed || !pane.contains(selection.anchorNode)) return [];
    const rows = [];
    for (const [row, { element }] of this.#rowPane.entries()) {
      if (element.contains(selection.anchorNode) || element.contains(selection.focusNode)) rows.push(row);
    }
    return rows;
  }

  /** @returns {boolean} whether a drawn row has another height than was thought */
  #measureRows() {
    if (this.#heights === null) return false;
    let changed = false;
    for (const [row, { element }] of this.#rowPane.entries()) {
      const units = Math.max(1, Math.round(element.offsetHeight / ROW_PX));
      changed = this.#heights.set(row + 1, units) || changed;
    }
    return changed;
  }

  #settle(pinned) {
    if (pinned) this.#putEnd();
    const place = this.#place();
    this.#setPlace(place);
    const offset = this.#offsetOf(this.#rowPane.first);
    this.#write(place, this.#space.isScaled ? offset - place : offset);
  }

  /** Rows are laid from the anchor on, with the heights that they have in the document. */
  #settleLoose(pinned) {
    const rows = [...this.#rowPane.entries()];
    if (rows.length === 0) return this.#write(0, 0);
    let { row, y } = this.#anchor;
    const edges = new Map(rows.map(([number, { element }]) => [number, [element.offsetTop, element.offsetHeight]]));
    let shift = y - (edges.get(row)?.[0] ?? 0);
    const [lastTop, lastHeight] = edges.get(this.#count - 1) ?? [Infinity, 0];
    if (pinned || lastTop + lastHeight + shift < this.#view) shift = this.#view - lastTop - lastHeight;
    if (edges.has(0) && edges.get(0)[0] + shift > 0) shift = -edges.get(0)[0];
    [row, [y]] = [...edges].find(([, [top, height]]) => top + height + shift > 0) ?? [row, edges.get(row)];
    this.#anchor = { row, y: y + shift };
    const share = Math.min(1, Math.max(0, -this.#anchor.y / edges.get(row)[1]));
    this.#write(pinned ? this.#space.end : (row + share) * ROW_PX, shift);
  }

  /** What is read comes before, what is written here, and the position last: it makes the browser lay out. */
  #write(place, paneOffset) {
    const { viewport, canvas, pane } = this.#elements;
    const { canvas: height, isScaled } = this.#space;
    this.#once("scaled", isScaled, () => viewport.toggleAttribute("data-scaled", isScaled));
    this.#once("view", this.#view, () => viewport.style.setProperty("--log-view", `${this.#view}px`));
    this.#once("height", height, () => canvas.style.setProperty("block-size", `${height}px`));
    this.#once("columns", this.#columns, () => canvas.style.setProperty("--log-columns", String(this.#columns)));
    this.#once("offset", paneOffset, () => pane.style.setProperty("--log-offset", `${paneOffset}px`));
    const top = Math.round(this.#space.topOf(place));
    if (Math.abs(top - this.#knownTop) < 1) return;
    viewport.scrollTop = top;
    this.#knownTop = top;
  }

  #once(name, value, write) {
    if (this.#drawn[name] === value) return;
    this.#drawn[name] = value;
    write();
  }
}
