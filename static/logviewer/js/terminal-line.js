import { PLAIN, samePen } from "./sgr.js";

export const MAX_LINE_COLUMNS = 20_480;
export const MAX_LINE_SPANS = 2_000;

/** How far a program may move right of what is written: terminals clamp at their width, and there is none here. */
const FURTHEST_MOVE_COLUMNS = 512;
const TAB_COLUMNS = 8;
/** Erasing may cost this many steps for each character received, so that no line can keep a page busy. */
const STEPS_PER_CHARACTER = 64;

const JOINS_THE_CELL_BEFORE = /^[\p{M}\u200d\ufe0f]$/u;

const nextTab = (column) => column + TAB_COLUMNS - (column % TAB_COLUMNS);

/** The most of `text` that has at most `units` UTF-16 units and no half of a surrogate pair at its end. */
function head(text, units) {
  const last = text.charCodeAt(units - 1);
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? units - 1 : units);
}

/**
 * Spans `[channel, pen, text]`; neighbours alike are joined, and from the last allowed span on the rest is plain.
 */
class Spans {
  list = [];

  add(channel, pen, text) {
    const last = this.list.at(-1);
    if (last && (this.list.length >= MAX_LINE_SPANS || (last[0] === channel && samePen(last[1], pen)))) {
      last[2] += text;
    } else {
      this.list.push([channel, this.list.length === MAX_LINE_SPANS - 1 ? PLAIN : pen, text]);
    }
  }
}

/** Columns that `spans` take, with tabs at 8 and each UTF-16 unit as one. */
function columnsOf(spans) {
  let column = 0;
  for (const [, , text] of spans) {
    if (!text.includes("\t")) {
      column += text.length;
      continue;
    }
    for (const part of text.split(/(\t)/)) column = part === "\t" ? nextTab(column) : column + part.length;
  }
  return column;
}

/**
 * One line as a terminal would leave it. While text only arrives at the end it is kept as spans; when something is
 * written over (`\r`, backspace, cursor movement) it becomes cells, one for each character.
 */
export class TerminalLine {
  #spans = new Spans();
  #kept = 0;
  #cells = null;
  #cursor = 0;
  #width = 0;
  #returned = false;
  #steps = 0;
  #written = false;

  /** Nothing was ever written; a line that was erased again is not empty, so that it does not come and go. */
  get isEmpty() {
    return !this.#written;
  }

  /** Where the next character goes, from 0. */
  get column() {
    return this.#column();
  }

  write(channel, pen, text) {
    this.#written = true;
    this.#steps -= text.length * STEPS_PER_CHARACTER;
    if (this.#cells === null && !this.#returned) this.#append(channel, pen, text);
    else this.#overwrite(channel, pen, text);
  }

  carriageReturn() {
    if (this.#cells === null) this.#returned = true;
    else this.#cursor = 0;
  }

  backspace() {
    this.moveTo(this.#column() - 1);
  }

  moveBy(columns) {
    this.moveTo(this.#column() + columns);
  }

  /** @param {number} column from 0 */
  moveTo(column) {
    const furthest = Math.max(this.#column(), FURTHEST_MOVE_COLUMNS);
    this.#toCells();
    this.#cursor = Math.max(0, Math.min(column, furthest));
  }

  /** `ESC [ mode K`: 0 from the cursor on, 1 up to the cursor, 2 all. */
  erase(mode) {
    if (mode === 0 && this.#cells === null && !this.#returned) return;
    this.#toCells();
    if (mode === 0) this.#cells.length = Math.min(this.#cells.length, this.#cursor);
    else if (mode === 2) this.#cells.length = 0;
    else if (mode === 1) this.#eraseBefore(Math.min(this.#cursor + 1, this.#cells.length));
    this.#width = this.#cells.length;
  }

  /**
   * The line as it stands: `columns` is what it takes on the screen, `cut` its full length in characters if more
   * than MAX_LINE_COLUMNS were written, else null.
   */
  snapshot() {
    const spans = this.#cells === null ? this.#spans.list.map((span) => [...span]) : this.#joined();
    return { spans, columns: columnsOf(spans), cut: this.#width > MAX_LINE_COLUMNS ? this.#width : null };
  }

  #column() {
    if (this.#returned) return 0;
    return this.#cells === null ? this.#width : this.#cursor;
  }

  #append(channel, pen, text) {
    this.#width += text.length;
    const room = MAX_LINE_COLUMNS - this.#kept;
    if (room <= 0) return;
    const kept = text.length > room ? head(text, room) : text;
    this.#kept = text.length > room ? MAX_LINE_COLUMNS : this.#kept + text.length;
    if (kept) this.#spans.add(channel, pen, kept);
  }

  #toCells() {
    if (this.#cells !== null) return;
    const beyond = this.#width - this.#kept;
    const returned = this.#returned;
    const spans = this.#spans.list;
    this.#cells = [];
    this.#cursor = 0;
    this.#width = 0;
    this.#returned = false;
    for (const [channel, pen, text] of spans) this.#overwrite(channel, pen, text);
    this.#width += beyond;
    this.#cursor = returned ? 0 : this.#width;
    this.#spans = new Spans();
  }

  #overwrite(channel, pen, text) {
    this.#toCells();
    for (const character of text) {
      const before = this.#cells[this.#cursor - 1];
      if (before && character > "\u02ff" && JOINS_THE_CELL_BEFORE.test(character)) {
        before[2] += character;
      } else if (character === "\t") {
        this.#cursor = nextTab(this.#cursor);
        this.#pad(channel);
      } else {
        this.#pad(channel);
        if (this.#cursor < MAX_LINE_COLUMNS) this.#cells[this.#cursor] = [channel, pen, character];
        this.#cursor += 1;
      }
    }
    this.#width = Math.max(this.#width, this.#cursor);
  }

  #pad(channel) {
    const end = Math.min(this.#cursor, MAX_LINE_COLUMNS);
    while (this.#cells.length < end) this.#cells.push([channel, PLAIN, " "]);
  }

  #eraseBefore(end) {
    this.#steps += end;
    if (this.#steps > 0) return;
    for (let column = 0; column < end; column += 1) this.#cells[column] = [this.#cells[column][0], PLAIN, " "];
  }

  #joined() {
    const spans = new Spans();
    for (const [channel, pen, text] of this.#cells) spans.add(channel, pen, text);
    return spans.list;
  }
}
