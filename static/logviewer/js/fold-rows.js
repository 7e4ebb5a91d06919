import { make } from "./elements.js";
import { Folds } from "./folds.js";
import { createIcon } from "./icons.js";
import { durationText } from "./moments.js";

const PARAMETER = "fold";
/** What a tool writes to begin a section, before its name. */
const MARKER = /^(?:::group::|##\[group\]|section_start:\d+:[^\s\[]*(?:\[[^\]]*\])?|-{3} |\+{3} |~{3} )/;

const count = (number) => number.toLocaleString("en");

/** "1,204 lines, 2m 04s" */
function sizeOf({ start, end, seconds }) {
  if (end === null) return "still open";
  const hidden = end - start;
  const lines = hidden === 1 ? "1 line" : `${count(hidden)} lines`;
  return seconds === null ? lines : `${lines}, ${durationText(seconds)}`;
}

/**
 * Sections of the log that can be folded away: a button in the gutter of their first line, which also says how long
 * they are. While channels are filtered nothing is folded, since the rows are others then.
 */
export class FoldRows {
  #viewer;
  #marks;
  #moved;
  #folds = new Folds();
  #folded = false;

  /**
   * @param {LogViewer} viewer
   * @param {LogMarks} marks
   * @param {() => void} moved called when lines have other rows than before
   */
  constructor(viewer, marks, moved) {
    this.#viewer = viewer;
    this.#marks = marks;
    this.#moved = moved;
    this.#folds.readParameter(new URL(location.href).searchParams.get(PARAMETER));
    viewer.addDecorator({
      segments: (line) => this.#segments(line),
      row: (element, line) => this.#decorate(element, line.number),
    });
    marks.addEventListener("change", () => this.#update(), { signal: viewer.signal });
    viewer.element.addEventListener("click", (event) => this.#clicked(event), { signal: viewer.signal });
    viewer.element.addEventListener("log:mark", ({ detail }) => detail.mark && this.reveal(detail.mark.first), {
      signal: viewer.signal,
    });
  }

  get any() {
    return this.#folds.list.length > 0;
  }

  get allOpen() {
    return this.#folds.hidden.length === 0;
  }

  /** Where lines lie, while all channels are shown; see visible-rows.js. */
  get rows() {
    const folds = this.#folds;
    return {
      count: (total) => folds.rows(total),
      indexAt: (row) => folds.lineAt(row),
      rowOf: (index) => folds.rowOf(index),
    };
  }

  /** Open whatever hides that line. */
  reveal(line) {
    if (this.#folds.reveal(line)) this.#changed();
  }

  toggleAll() {
    this.#folds.setAll(this.allOpen);
    this.#changed();
  }

  /** The channels that are shown are others now. */
  apply() {
    const folded = this.#viewer.store.channels === null && !this.allOpen;
    if (folded || this.#folded) this.#viewer.setRows(folded ? this.rows : null);
    this.#folded = folded;
    this.#viewer.redecorate();
    this.#moved();
  }

  #update() {
    const { mark } = this.#viewer;
    this.#folds.update(this.#marks.folds);
    if (mark !== null) this.#folds.reveal(mark.first);
    this.apply();
  }

  #changed() {
    const url = new URL(location.href);
    const parameter = this.#folds.toParameter();
    if (parameter === "") url.searchParams.delete(PARAMETER);
    else url.searchParams.set(PARAMETER, parameter);
    history.replaceState(history.state, "", url);
    this.apply();
  }

  #foldAt(number) {
    return this.#viewer.store.channels === null ? this.#folds.at(number) : undefined;
  }

  #segments(line) {
    if (this.#foldAt(line.number) === undefined) return [];
    const text = line.spans[0]?.[2] ?? "";
    const marker = MARKER.exec(text)?.[0] ?? "";
    return marker === "" ? [] : [{ from: 0, to: marker.length, className: "log-fold-marker" }];
  }

  #decorate(element, number) {
    const fold = this.#foldAt(number);
    const button = element.querySelector(":scope > .log-fold");
    if (!fold) {
      button?.remove();
      element.querySelector(":scope > .log-fold-size")?.remove();
      return;
    }
    const closed = this.#folds.isClosed(fold);
    const shown = button ?? this.#makeButton(element);
    shown.dataset.fold = number;
    shown.setAttribute("aria-expanded", String(!closed));
    shown.setAttribute("aria-label", `${fold.name || "Section"}, ${sizeOf(fold)}`);
    shown.title = closed ? "Open this section" : "Close this section";
    element.querySelector(":scope > .log-fold-size").dataset.text = sizeOf(fold);
    element.classList.add("log-row-fold");
    element.classList.toggle("log-row-closed", closed);
  }

  #makeButton(element) {
    const button = make("button", { class: "log-fold", type: "button" }, createIcon(document, "fold"));
    element.insertBefore(button, element.querySelector(".log-text"));
    element.append(make("span", { class: "log-aside log-fold-size", "aria-hidden": "true" }));
    return button;
  }

  #clicked({ target }) {
    const button = target.closest?.(".log-fold");
    const fold = button && this.#folds.at(Number(button.dataset.fold));
    if (!fold) return;
    this.#folds.toggle(fold);
    this.#changed();
  }
}
