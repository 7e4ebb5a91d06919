import { clickMark, parseMark } from "./marks.js";
import { timeTitle } from "./rows.js";
import { isShown, selectedLines, selectedText, selectsIn } from "./selection.js";

const EDITABLE = "input, textarea, select, [contenteditable]";
/** Keys that were pressed before all who want keys were there: so many are kept. */
const MAX_EARLY_KEYS = 20;
const SCROLL_KEYS = ["ArrowUp", "ArrowDown", "PageUp", "PageDown", "Home", "End", " "];

/** What the reader does with mouse, keys and address, passed on to the viewer. */
export class ReaderInput {
  #viewer;
  #document;
  #scroller;
  #scrolling;
  #keys = [];
  #markAnchor = 1;
  #dragging = false;
  #width = 0;
  #early = [];
  #selection = null;

  /**
   * @param {LogViewer} viewer
   * @param {import("./scroller.js").Scroller} scroller
   * @param {import("./own-scrolling.js").OwnScrolling} scrolling
   */
  constructor(viewer, scroller, scrolling) {
    this.#viewer = viewer;
    this.#scroller = scroller;
    this.#scrolling = scrolling;
    this.#document = viewer.element.ownerDocument;
    this.#listen(viewer.view.viewport, viewer.signal);
  }

  /** @param {(event: KeyboardEvent) => boolean} taken */
  addKeys(taken) {
    this.#keys.push(taken);
  }

  /** All who want keys are there: they get those that were pressed meanwhile. */
  replay() {
    const early = this.#early;
    this.#early = null;
    for (const event of early) this.#pressed(event);
  }

  /** The mark that the address names; clicks with shift extend it. */
  readAddress() {
    const mark = parseMark(this.#document.defaultView.location.hash);
    this.#markAnchor = mark?.first ?? 1;
    return mark;
  }

  #listen(viewport, signal) {
    const listen = (target, type, act) => target.addEventListener(type, act, { signal, passive: type === "scroll" });
    listen(viewport, "scroll", () => this.#scrolled());
    listen(viewport, "click", (event) => this.#clicked(event));
    listen(viewport, "copy", (event) => this.#copy(event));
    listen(viewport, "pointerover", (event) => this.#pointed(event));
    listen(viewport, "pointerdown", (event) => (this.#dragging = event.target !== viewport));
    for (const end of ["pointerup", "pointercancel"]) listen(this.#document, end, () => (this.#dragging = false));
    listen(this.#document, "selectionchange", () => this.#selected());
    listen(this.#document, "keydown", (event) => this.#pressed(event));
    listen(this.#document.defaultView, "hashchange", () => this.#viewer.showAddress(this.readAddress()));
    const resized = new ResizeObserver(() => this.#resized(viewport));
    resized.observe(viewport);
    signal.addEventListener("abort", () => resized.disconnect());
  }

  #scrolled() {
    const way = this.#scroller.scrolled({ dragging: this.#dragging });
    if (way !== null) this.#viewer.moved(way);
  }

  #selected() {
    const selection = this.#document.getSelection();
    const { pane } = this.#viewer.view;
    this.#selection = selectedLines(selection, pane);
    if (selectsIn(selection, pane)) this.#viewer.setFollow(false);
  }

  /** Call after each drawing. A selection too large for the document goes on as marked lines, which are copied whole. */
  drawn() {
    if (this.#selection === null || isShown(this.#selection)) return;
    const { first, last } = this.#selection;
    this.#selection = null;
    this.#document.getSelection()?.removeAllRanges();
    if (first < last) this.#viewer.setMark({ first, last });
  }

  #copy(event) {
    const selection = this.#document.getSelection();
    const { pane } = this.#viewer.view;
    if (event.defaultPrevented || !selectsIn(selection, pane)) return;
    event.clipboardData.setData("text/plain", selectedText(selection, pane.children));
    event.preventDefault();
  }

  #pressed(event) {
    if (event.target.closest?.(EDITABLE) && event.key !== "F8") return;
    if (this.#isOthers(event)) return;
    if (this.#early !== null) {
      // One with a modifier was the browser's by then.
      const plain = !event.ctrlKey && !event.metaKey && !event.altKey;
      if (plain && this.#early.length < MAX_EARLY_KEYS) this.#early.push(event);
      return;
    }
    const viewer = this.#viewer;
    const taken = this.#keys.some((take) => take(event)) || this.#act(event, viewer);
    if (taken) event.preventDefault();
  }

  /** Keys belong to a dialog that is open; Escape closes a menu before anything else. */
  #isOthers({ key }) {
    const open = key === "Escape" ? "dialog[open], :popover-open" : "dialog[open]";
    return this.#document.querySelector(open) !== null;
  }

  #act(event, viewer) {
    const { key, ctrlKey, metaKey, altKey } = event;
    if (ctrlKey || metaKey || altKey) return false;
    if (key === "f" && viewer.canFollow) viewer.setFollow(!viewer.following);
    else if (key === "w") viewer.setWrap(!viewer.wrap);
    else if (!viewer.view.viewport.contains(event.target) && !this.#takesFromPage(event)) return false;
    else if (key === "Escape" && viewer.mark !== null) viewer.setMark(null);
    // Where lines come fast the browser's own way to the end arrives too late.
    else if (key === "End" && viewer.canFollow) viewer.setFollow(true);
    else return this.#scrolling.press(event);
    return true;
  }

  /** Nothing has the focus, and the page itself does not scroll: the keys that scroll are meant for the log. */
  #takesFromPage({ key, target }) {
    const { body, documentElement } = this.#document;
    if (target !== body || !SCROLL_KEYS.includes(key)) return false;
    if (documentElement.scrollHeight > documentElement.clientHeight) return false;
    this.#viewer.view.viewport.focus({ preventScroll: true });
    return true;
  }

  #clicked(event) {
    const link = event.target.closest(".log-number");
    if (!link?.dataset.number || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const number = Number(link.dataset.number);
    if (!event.shiftKey) this.#markAnchor = number;
    this.#viewer.setMark(clickMark(this.#viewer.mark, number, event.shiftKey, this.#markAnchor));
    this.#viewer.setFollow(false);
  }

  /** When a line was written is worked out for whoever asks. */
  #pointed({ target }) {
    const row = target.closest?.(".log-number")?.parentElement;
    const line = row ? this.#viewer.lineOf(row) : undefined;
    if (line) row.firstChild.title = timeTitle(line.time, this.#viewer.log.started);
  }

  #resized(viewport) {
    if (viewport.clientWidth !== this.#width) this.#scroller.layOutAnew();
    this.#width = viewport.clientWidth;
    this.#scroller.resized();
    this.#viewer.drawSoon();
  }
}
