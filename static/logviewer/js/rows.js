import { CHANNEL } from "./frame.js";
import { paint } from "./palette.js";
import { visiblePieces } from "./visible-text.js";

/** Elements in one row: what a hostile line can make the page build. */
export const MAX_ROW_PIECES = 2_000;

const CHANNEL_CLASSES = new Map([
  [CHANNEL.STDERR, "stderr"],
  [CHANNEL.HEADER, "header"],
]);

const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });

/** "14:03:22, 12.3 s after the start" */
export function timeTitle(time, started) {
  if (typeof time !== "number") return "";
  const at = clock.format(new Date(time));
  return Number.isFinite(started) ? `${at}, ${((time - started) / 1000).toFixed(1)} s after the start` : at;
}

/** The channel that all of the line came on; null where several share it. */
function soleChannel(line) {
  const channel = line.spans[0]?.[0] ?? CHANNEL.STDOUT;
  return line.spans.every(([other]) => other === channel) ? channel : null;
}

/**
 * Builds the elements of lines. Text goes in as text nodes only.
 */
export class Rows {
  #document;
  #started;

  /** @param {number} started start of the log in ms, NaN where it is not known */
  constructor(document, started) {
    this.#document = document;
    this.#started = started;
  }

  /** A row for `line`: a number that links to it, and its text. */
  create(line) {
    const row = this.#document.createElement("div");
    const number = this.#document.createElement("a");
    number.className = "log-number";
    number.href = `#L${line.number}`;
    number.tabIndex = -1;
    number.dataset.number = String(line.number);
    number.title = timeTitle(line.time, this.#started);
    number.draggable = false;
    row.dataset.line = String(line.number);
    row.append(number, this.#document.createElement("span"));
    this.fill(row, line);
    return row;
  }

  /** Put the present text of `line` into its row. */
  fill(row, line) {
    const channel = soleChannel(line);
    const channelClass = CHANNEL_CLASSES.get(channel);
    row.className = channelClass ? `log-row log-row-${channelClass}` : "log-row";
    const text = this.#document.createElement("span");
    text.className = "log-text";
    if (line.cut !== null) text.dataset.cut = `… cut here: the line has ${line.cut.toLocaleString("en")} characters`;
    text.append(...this.#pieces(line, channel === null));
    row.replaceChild(text, row.lastChild);
  }

  #pieces(line, mixed) {
    const pieces = [];
    for (const [channel, pen, text] of line.spans) {
      const look = paint(pen);
      if (mixed && CHANNEL_CLASSES.has(channel)) look.classes.push(`log-${CHANNEL_CLASSES.get(channel)}`);
      for (const [shown, boxed] of visiblePieces(text, MAX_ROW_PIECES - pieces.length)) {
        pieces.push(this.#piece(shown, look, boxed));
      }
    }
    return pieces;
  }

  #piece(text, { classes, color, background }, boxed) {
    if (classes.length === 0 && color === null && !boxed) return this.#document.createTextNode(text);
    const piece = this.#document.createElement("span");
    piece.className = boxed ? [...classes, "log-boxed"].join(" ") : classes.join(" ");
    if (color !== null) piece.style.setProperty("color", color);
    if (background !== null) piece.style.setProperty("background-color", background);
    piece.append(this.#document.createTextNode(text));
    return piece;
  }
}
