import { createIcon } from "./icons.js";
import { wordOf } from "./log-status.js";

const KIB = 1024;
const UNITS = ["bytes", "KiB", "MiB", "GiB", "TiB"];

const count = (number) => number.toLocaleString("en");
const lines = (number) => (number === 1 ? "1 line" : `${count(number)} lines`);

/** "812 bytes", "1.4 MiB" */
export function formatSize(bytes) {
  const power = bytes < KIB ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log(bytes) / Math.log(KIB)));
  const value = bytes / KIB ** power;
  return `${power === 0 || value >= 100 ? count(Math.round(value)) : value.toFixed(1)} ${UNITS[power]}`;
}

/**
 * The elements of a viewer around the rows, and what they say. It decides nothing: clicks go to the `actions`
 * `follow()`, `wrap()` and `end()`. `tools`, `panels` and `frame` have room for more.
 */
export class LogView {
  #document;
  #word;
  #counts;
  #follow;
  #wrap;
  #notice;
  #digits = 0;
  #empty;
  #newLines;
  #newLinesText;
  #preview;

  /**
   * @param {HTMLElement} element its content is replaced
   * @param {string} raw address of the raw text
   */
  constructor(element, raw, actions) {
    this.#document = element.ownerDocument;
    this.element = element;
    const toolbar = this.#toolbar(raw, actions);
    this.panels = this.#make("div", "log-panels");
    this.#notice = this.#make("p", "log-notice");
    this.#notice.setAttribute("role", "status");
    this.#notice.hidden = true;
    this.frame = this.#frame(actions);
    this.#preview = element.querySelector(".log-preview");
    element.replaceChildren(toolbar, this.panels, this.#notice, this.frame);
    if (this.#preview !== null) this.frame.append(this.#preview);
  }

  /** What the server had drawn in the place of the first lines is not needed any more. */
  dropPreview() {
    this.#preview?.remove();
    this.#preview = null;
  }

  /** @param {string} state a viewer's state, see log-status.js */
  showState(state) {
    this.element.dataset.connection = state;
    this.#word.textContent = wordOf(state);
  }

  /** Says why there will be no more of the log. */
  showError(detail) {
    this.#word.textContent = detail;
  }

  showCounts(lineCount, bytes) {
    const text = lineCount === 0 ? "" : `${lines(lineCount)}, ${formatSize(bytes)}`;
    if (this.#counts.textContent !== text) this.#counts.textContent = text;
  }

  /** @param {boolean} active @param {boolean} possible whether there is an end that moves */
  showFollow(active, possible) {
    if (this.#follow.hidden === possible) this.#hide(this.#follow, !possible);
    const pressed = String(active);
    if (this.#follow.getAttribute("aria-pressed") !== pressed) this.#follow.setAttribute("aria-pressed", pressed);
  }

  showWrap(wrap) {
    this.element.toggleAttribute("data-wrap", wrap);
    this.#wrap.setAttribute("aria-pressed", String(wrap));
  }

  showNewLines(number) {
    if (this.#newLines.hidden !== (number === 0)) this.#hide(this.#newLines, number === 0);
    const text = number === 1 ? "1 new line" : `${count(number)} new lines`;
    if (this.#newLinesText.textContent !== text) this.#newLinesText.textContent = text;
  }

  /** @param {number} digits of the longest number */
  showDigits(digits) {
    const room = Math.max(3, digits);
    if (room === this.#digits) return;
    this.#digits = room;
    this.viewport.style.setProperty("--log-digits", String(room));
  }

  /** @param {string} text what a reader is to know beside the lines; "" for nothing */
  showNotice(text) {
    if (this.#notice.textContent === text) return;
    this.#notice.hidden = text === "";
    this.#notice.textContent = text;
  }

  /** @param {string} text what stands in the place of rows; "" where there are some */
  showEmpty(text) {
    if (this.#empty.textContent === text) return;
    this.#empty.hidden = text === "";
    this.#empty.textContent = text;
  }

  /** What vanishes does not take the focus with it: the keys go on with the log. */
  #hide(element, hidden) {
    if (hidden && this.#document.activeElement === element) this.viewport.focus({ preventScroll: true });
    element.hidden = hidden;
  }

  #make(name, className, ...content) {
    const element = this.#document.createElement(name);
    element.className = className;
    element.append(...content);
    return element;
  }

  #labelled(name, icon, label) {
    return this.#make(name, "log-button", createIcon(this.#document, icon), this.#make("span", "log-label", label));
  }

  /** A button of the toolbar: an icon, and a label where there is room. */
  button(icon, label, title, act) {
    const button = this.#labelled("button", icon, label);
    button.type = "button";
    button.title = title;
    button.addEventListener("click", act);
    return button;
  }

  #toolbar(raw, actions) {
    this.#word = this.#make("span", "log-word");
    const status = this.#make("span", "log-status", this.#make("span", "log-dot"), this.#word);
    status.setAttribute("role", "status");
    this.#counts = this.#make("span", "log-counts");
    this.#follow = this.button("end", "Follow", "Stay at the end of the log (f)", actions.follow);
    this.#wrap = this.button("wrap", "Wrap", "Wrap long lines (w)", actions.wrap);
    const link = this.#labelled("a", "raw", "Raw");
    link.href = raw;
    link.title = "The whole log as plain text";
    this.tools = this.#make("span", "log-tools");
    return this.#make("div", "log-toolbar", status, this.#counts, this.tools, this.#follow, this.#wrap, link);
  }

  #frame(actions) {
    this.pane = this.#make("div", "log-pane");
    this.canvas = this.#make("div", "log-canvas", this.#make("div", "log-layer", this.pane));
    this.#empty = this.#make("p", "log-empty");
    this.#empty.hidden = true;
    this.viewport = this.#make("div", "log-viewport", this.canvas);
    this.viewport.tabIndex = 0;
    this.viewport.setAttribute("role", "log");
    this.viewport.setAttribute("aria-live", "off");
    this.viewport.setAttribute("aria-label", "Log output");
    this.#newLinesText = this.#make("span", "log-new-text");
    this.#newLines = this.#make("button", "log-new", createIcon(this.#document, "down"), this.#newLinesText);
    this.#newLines.type = "button";
    this.#newLines.hidden = true;
    this.#newLines.addEventListener("click", actions.end);
    return this.#make("div", "log-frame", this.viewport, this.#empty, this.#newLines);
  }
}
