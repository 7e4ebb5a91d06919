import { MAX_LINE_COLUMNS, TerminalLine } from "./terminal-line.js";

/** How far up a program may go: more than the screens that progress displays are made for. */
export const MAX_SCREEN_ROWS = 100;
/** Characters in rows that can still be written over; cells take a hundred bytes each. */
export const MAX_SCREEN_CHARACTERS = 128 * 1024;

const isBlank = (spans) => spans.every(([, , text]) => text.trim() === "");

/** A row of the screen: `owner` is the number of the log's line that is shown there, null while nothing is. */
class Row {
  line = new TerminalLine();
  owner = null;
  characters = 0;
  changed = false;
  wroteTo = null;
}

/**
 * The last rows of a terminal that a log's lines are written to. As in a terminal, `ESC [ 3 A` lets the text that
 * follows go to rows above, which is how docker, npm and cargo redraw their progress.
 *
 * Every line of the log keeps its number. A line whose text went to another row has no text of its own, and
 * `movedTo` names the line that shows it, null for all others. A row belongs to the first line that wrote to it.
 *
 * Where the log says "erase all", what was written stays, out of reach: a log is read as a history. Only from the
 * cursor on it is erased, where a program went up to write anew. Movement to absolute rows is not followed, since a log
 * does not know how high its terminal was.
 *
 * Stands in the place of a line for `Terminal.write`. Time and memory are bounded whatever is written.
 */
export class Screen {
  #rows = [new Row()];
  #cursor = 0;
  #characters = 0;
  #number = 1;
  #own = null;
  #wroteTo = null;
  #settled = [];

  /** @param {number} number of the first line */
  constructor(number = 1) {
    this.begin(number);
  }

  /** What is written from now on is the text of line `number`; without it, lines are counted on. */
  begin(number) {
    this.#number = number;
    this.#own = null;
    this.#wroteTo = null;
  }

  /** A line feed: the line has ended, the cursor goes to the start of the next row. */
  endLine() {
    const row = this.#row;
    if (row.owner === null) this.#give(row);
    if (this.#own !== null) this.#own.changed = true;
    else this.#settled.push(moved(this.#number, this.#wroteTo ?? row.owner, true));
    this.#cursor += 1;
    if (this.#cursor === this.#rows.length) this.#rows.push(new Row());
    else this.#row.line.carriageReturn();
    while (this.#cursor > 0 && (this.#rows.length > MAX_SCREEN_ROWS || this.#isFull)) this.#settleFirst();
    this.begin(this.#number + 1);
  }

  /**
   * Lines that changed since they were last taken, in the order of their numbers, as they stand now:
   * `{number, ended, spans, columns, cut, movedTo}`. The unfinished line is among them once it has text.
   */
  take() {
    const taken = this.#settled;
    this.#settled = [];
    for (const row of this.#rows) {
      if (row.changed && row.owner !== null) taken.push(this.#resolve(row));
    }
    if (this.#own === null && this.#wroteTo !== null) taken.push(moved(this.#number, this.#wroteTo, false));
    return taken.sort((one, other) => one.number - other.number);
  }

  // What Terminal asks of a line

  write(channel, pen, text) {
    if (text === "") return;
    const row = this.#touch();
    if (row.owner === null) this.#give(row);
    else if (row.owner !== this.#number) this.#wentTo(row.owner);
    const before = row.characters;
    row.characters = Math.min(MAX_LINE_COLUMNS, before + text.length);
    this.#characters += row.characters - before;
    row.line.write(channel, pen, text);
  }

  carriageReturn() {
    this.#row.line.carriageReturn();
  }

  backspace() {
    this.#row.line.backspace();
  }

  moveBy(columns) {
    this.#row.line.moveBy(columns);
  }

  moveTo(column) {
    this.#row.line.moveTo(column);
  }

  erase(mode) {
    this.#touch().line.erase(mode);
  }

  /** Up or down, within the rows there are; @param {number} column where to, the same by default */
  moveRows(count, column = this.#row.line.column) {
    if (this.#isFull) return;
    this.#cursor = Math.max(0, Math.min(this.#cursor + count, this.#rows.length - 1));
    this.#row.line.carriageReturn();
    if (column > 0) this.#row.line.moveTo(column);
  }

  /** `ESC [ mode J`: 0 from the cursor on, 2 and 3 all, of which what stands above, or in the last row, is kept. */
  eraseDisplay(mode) {
    if (mode === 1) return;
    if (mode === 0) this.erase(0);
    else if (this.#cursor < this.#rows.length - 1) this.erase(2);
    for (let at = this.#cursor + 1; at < this.#rows.length; at += 1) this.#blank(this.#rows[at]);
    if (mode !== 0) while (this.#cursor > 0) this.#settleFirst();
  }

  get #row() {
    return this.#rows[this.#cursor];
  }

  get #isFull() {
    return this.#characters > MAX_SCREEN_CHARACTERS && this.#rows.length > 1;
  }

  #touch() {
    const row = this.#row;
    row.changed = true;
    return row;
  }

  #give(row) {
    row.owner = this.#number;
    row.changed = true;
    row.wroteTo = this.#wroteTo;
    this.#own = row;
  }

  #wentTo(owner) {
    this.#wroteTo = owner;
    if (this.#own !== null) this.#own.wroteTo = owner;
  }

  /** An erased row is made anew: it costs nothing to erase it again. */
  #blank(row) {
    if (row.characters === 0) return;
    this.#characters -= row.characters;
    row.characters = 0;
    row.line = new TerminalLine();
    row.changed = true;
  }

  #settleFirst() {
    const row = this.#rows.shift();
    this.#cursor -= 1;
    this.#characters -= row.characters;
    if (row.changed) this.#settled.push(this.#resolve(row));
  }

  #resolve(row) {
    row.changed = false;
    const snapshot = row.line.snapshot();
    const movedTo = row.wroteTo !== null && isBlank(snapshot.spans) ? row.wroteTo : null;
    return { number: row.owner, ended: row !== this.#own, ...snapshot, movedTo };
  }
}

function moved(number, to, ended) {
  return { number, ended, spans: [], columns: 0, cut: null, movedTo: to };
}
