import { make } from "./elements.js";
import { bucketMarks } from "./scrollbar-marks.js";

/** Drawn in this order: what comes later lies above. */
const KINDS = ["gap", "warning", "error", "hit"];

/**
 * Marks beside the scroll bar. For the eyes and the mouse only: whoever uses keys or a screen reader has the counters
 * and the jumps.
 */
export class ScrollMarks {
  #viewer;
  #rows;
  #layer;
  #numbers = new Map(KINDS.map((kind) => [kind, []]));
  #drawn = "";
  #version = 0;

  /**
   * @param {LogViewer} viewer
   * @param {{count: (total: number) => number, rowOf: (line: number) => number}} rows where lines lie
   * @param {(line: number) => void} go
   */
  constructor(viewer, rows, go) {
    this.#viewer = viewer;
    this.#rows = rows;
    this.#layer = make("div", { class: "log-marks", "aria-hidden": "true" });
    viewer.view.frame.append(this.#layer);
    const { signal } = viewer;
    const clicked = ({ target }) => target.dataset.line && go(Number(target.dataset.line));
    this.#layer.addEventListener("click", clicked, { signal });
    viewer.element.addEventListener("log:rows", () => this.draw(), { signal });
  }

  /** @param {string} kind of KINDS @param {number[]} numbers of lines */
  set(kind, numbers) {
    this.#numbers.set(kind, numbers);
    this.#version += 1;
    this.draw();
  }

  /** Lines lie elsewhere than before: folds were opened or closed. */
  moved() {
    this.#version += 1;
    this.draw();
  }

  draw() {
    // Under a choice of channels nobody knows where a line lies among those that are shown.
    this.#layer.hidden = this.#viewer.store.channels !== null;
    const lines = Math.max(this.#viewer.log.lines, 1);
    const total = this.#rows.count(lines);
    const height = Math.min(this.#layer.clientHeight, total * 20);
    const key = `${this.#version} ${height} ${total}`;
    if (key === this.#drawn) return;
    this.#drawn = key;
    const marks = KINDS.flatMap((kind) => this.#marksOf(kind, total, height));
    this.#layer.replaceChildren(...marks);
  }

  #marksOf(kind, total, height) {
    const byRow = new Map();
    for (const line of this.#numbers.get(kind)) {
      const row = this.#rows.rowOf(line);
      if (!byRow.has(row)) byRow.set(row, line);
    }
    return bucketMarks(byRow.keys(), total, height).map(({ at, row }) => {
      const mark = make("i", { class: `log-mark log-mark-${kind}`, "data-line": byRow.get(row) });
      mark.style.setProperty("inset-block-start", `${at}px`);
      return mark;
    });
  }
}
