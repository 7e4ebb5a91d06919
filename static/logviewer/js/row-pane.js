/**
 * The rows that are in the document, in order, keyed by row. Those that leave are filled with what comes: a step of
 * the scroll bar touches as many elements as rows came into view.
 */
export class RowPane {
  #pane;
  #rows;
  #lineAt;
  #decorators;
  #mounted = new Map();
  #first = 0;
  #last = -1;

  /**
   * @param {HTMLElement} pane
   * @param {import("./rows.js").Rows} rows
   * @param {(row: number) => {index: number, line: object | undefined, number: number | null}} lineAt
   * @param {{segments?: Function, row?: Function, numbered?: Function}[]} decorators see features.js; looked at with each fill
   */
  constructor(pane, rows, lineAt, decorators) {
    this.#pane = pane;
    this.#rows = rows;
    this.#lineAt = lineAt;
    this.#decorators = decorators;
  }

  get first() {
    return this.#first;
  }

  get last() {
    return this.#last;
  }

  /** @returns {HTMLElement | undefined} */
  element(row) {
    return this.#mounted.get(row)?.element;
  }

  /** The line that a row's element shows. */
  lineOf(element) {
    for (const entry of this.#mounted.values()) if (entry.element === element) return entry.line;
    return undefined;
  }

  /** Elements of all rows, with their lines where these are here. @returns {Iterable<[number, {element, line}]>} */
  entries() {
    return this.#mounted.entries();
  }

  /**
   * Have exactly the rows `first` to `last` in the document, each showing its line as it is now.
   *
   * @returns {number} how many columns the widest line takes that was filled in
   */
  mount(first, last) {
    const spare = this.#release(first, last);
    const kept = this.#mounted;
    this.#mounted = new Map();
    let columns = 0;
    let next = this.#pane.firstChild;
    for (let row = first; row <= last; row += 1) {
      let entry = kept.get(row);
      if (entry === undefined) {
        entry = spare.shift() ?? { element: this.#rows.create(), index: 0, number: null, line: null, filled: null };
        if (entry.element === next) next = next.nextSibling;
        else this.#pane.insertBefore(entry.element, next);
      } else {
        next = entry.element.nextSibling;
      }
      this.#mounted.set(row, entry);
      columns = Math.max(columns, this.#show(row, entry));
    }
    for (const { element } of spare) element.remove();
    this.#first = first;
    this.#last = last;
    return columns;
  }

  /** Decorate all rows anew: a decorator has changed. A text that stays as it is keeps what the reader selected of it. */
  refill() {
    for (const [row, entry] of this.#mounted) {
      entry.line = null;
      this.#show(row, entry);
    }
  }

  /** Take out of the map what is not wanted; elements stay in the document until it is known where they go. */
  #release(first, last) {
    const spare = [];
    for (const [row, entry] of this.#mounted) {
      if (row >= first && row <= last) continue;
      spare.push(entry);
      this.#mounted.delete(row);
    }
    return spare;
  }

  #show(row, entry) {
    const { index, line, number } = this.#lineAt(row);
    if (entry.line === line && entry.index === index && entry.number === number) return 0;
    Object.assign(entry, { index, line, number });
    if (line === undefined) {
      this.#rows.clear(entry.element, number);
      entry.filled = null;
    } else {
      this.#fill(entry, line, this.#segments(line));
      for (const decorator of this.#decorators) decorator.row?.(entry.element, line, index);
    }
    for (const decorator of this.#decorators) decorator.numbered?.(entry.element, number);
    return line?.columns ?? 0;
  }

  #fill(entry, line, segments) {
    const look = JSON.stringify(segments);
    if (entry.filled?.line === line && entry.filled.look === look) this.#rows.dress(entry.element, line);
    else this.#rows.fill(entry.element, line, segments);
    entry.filled = { line, look };
  }

  #segments(line) {
    let all;
    for (const decorator of this.#decorators) {
      const segments = decorator.segments?.(line);
      if (segments === undefined || segments.length === 0) continue;
      all = all === undefined ? segments : merged(all, segments);
    }
    return all;
  }
}

/** Both, in order, without those of `others` that overlap any of `segments`. */
function merged(segments, others) {
  const free = others.filter(({ from, to }) => !segments.some((one) => from < one.to && one.from < to));
  return [...segments, ...free].sort((one, other) => one.from - other.from);
}
