import { make } from "./elements.js";
import { silenceText, timeColumns, timeText } from "./times.js";

/** Times beside the line numbers, in one of four modes, and a note where the log was silent for long. */
export class TimeRows {
  #viewer;
  #marks;
  #mode;
  #columns = 0;

  /**
   * @param {LogViewer} viewer
   * @param {LogMarks} marks
   * @param {string} mode of TIME_MODES
   */
  constructor(viewer, marks, mode) {
    this.#viewer = viewer;
    this.#marks = marks;
    viewer.addDecorator({ row: (element, line, index) => this.#decorate(element, line, index) });
    this.mode = mode;
  }

  get mode() {
    return this.#mode;
  }

  set mode(mode) {
    this.#mode = mode;
    this.#columns = 0;
    this.#widen(timeColumns(mode, 0));
    this.#viewer.redecorate();
  }

  #decorate(element, line, index) {
    const before = this.#viewer.store.line(index - 1)?.time ?? null;
    const text = timeText(this.#mode, line.time, { started: this.#viewer.log.started, before });
    element.querySelector(".log-number").dataset.time = text;
    if (text.length > this.#columns) this.#widen(text.length);
    this.#note(element, this.#marks.gaps.before(line.number));
  }

  #note(element, seconds) {
    const note = element.querySelector(":scope > .log-gap");
    element.classList.toggle("log-row-gap", seconds !== undefined);
    if (seconds === undefined) note?.remove();
    else if (note) note.dataset.text = silenceText(seconds);
    else element.append(make("span", { class: "log-aside log-gap", "data-text": silenceText(seconds) }));
  }

  /** The column grows with what it holds, and never shrinks while it is shown. */
  #widen(columns) {
    this.#columns = columns;
    this.#viewer.element.toggleAttribute("data-times", columns > 0);
    this.#viewer.element.style.setProperty("--log-time-columns", String(columns));
    this.#viewer.layOutAnew();
  }
}
