import { CHANNEL } from "./frame.js";
import { paint } from "./palette.js";
import { PLAIN } from "./sgr.js";
import { visiblePieces } from "./visible-text.js";

/** Elements in one row: what a hostile line can make the page build. */
export const MAX_ROW_PIECES = 2_000;

const CHANNEL_CLASSES = new Map([
  [CHANNEL.STDERR, "stderr"],
  [CHANNEL.HEADER, "header"],
]);
const NO_SEGMENTS = [];
const MISLEADING = /[^\t\x20-\x7e\xa1-\xac\xae-\u0600]/;

const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });

/** "14:03:22, 12.3 s after the start" */
export function timeTitle(time, started) {
  if (typeof time !== "number") return "";
  const at = clock.format(new Date(time));
  return Number.isFinite(started) ? `${at}, ${((time - started) / 1000).toFixed(1)} s after the start` : at;
}

/** All text of a line. */
export const lineText = (line) => line.spans.map(([, , text]) => text).join("");

/** The channel that all of the line came on; null where several share it. */
function soleChannel(line) {
  const channel = line.spans[0]?.[0] ?? CHANNEL.STDOUT;
  return line.spans.every(([other]) => other === channel) ? channel : null;
}

/**
 * Spans cut where segments begin and end: `[channel, pen, text, segment]`, segment null outside of all.
 *
 * @param {[number, object, string][]} spans
 * @param {{from: number, to: number}[]} segments in order, not overlapping, in UTF-16 units of all spans' text
 */
export function cutSpans(spans, segments) {
  if (segments.length === 0) return spans;
  const cut = [];
  let at = 0;
  let next = 0;
  for (const [channel, pen, text] of spans) {
    for (let from = 0; from < text.length; ) {
      while (next < segments.length && segments[next].to <= at + from) next += 1;
      const segment = segments[next];
      const inside = segment !== undefined && segment.from <= at + from;
      const edge = segment === undefined ? Infinity : (inside ? segment.to : segment.from) - at;
      const to = Math.min(text.length, edge);
      cut.push([channel, pen, text.slice(from, to), inside ? segment : null]);
      from = to;
    }
    at += text.length;
  }
  return cut;
}

/**
 * Builds the elements of lines. Text goes in as text nodes only.
 */
export class Rows {
  #document;

  constructor(document) {
    this.#document = document;
  }

  /** A row without a line: a number that links to it, and room for its text. */
  create() {
    const row = this.#document.createElement("div");
    row.className = "log-row";
    const number = this.#document.createElement("a");
    number.className = "log-number";
    number.tabIndex = -1;
    number.draggable = false;
    const text = this.#document.createElement("span");
    text.className = "log-text";
    row.append(number, text);
    return row;
  }

  /** Show in a row that its line is not here yet; `number` is null where it is not known. */
  clear(row, number) {
    row.className = "log-row log-row-pending";
    this.#number(row, number);
    const text = row.querySelector(".log-text");
    text.textContent = "";
    delete text.dataset.cut;
  }

  /**
   * Put `line` into a row, whatever it showed before.
   *
   * @param {{from: number, to: number, className: string, href?: string}[]} segments parts of its text that are to
   *   look different
   */
  fill(row, line, segments = NO_SEGMENTS) {
    this.dress(row, line);
    const text = row.querySelector(".log-text");
    if (line.cut !== null) text.dataset.cut = `… cut here: the line has ${line.cut.toLocaleString("en")} bytes`;
    else if (text.dataset.cut !== undefined) delete text.dataset.cut;
    if (this.#isPlain(line, segments)) this.#fillPlain(text, line.spans[0]?.[2] ?? "");
    else text.replaceChildren(...this.#pieces(cutSpans(line.spans, segments), soleChannel(line) === null));
  }

  /** All of `fill` but the text, which is there: the row is as if nothing had decorated it. */
  dress(row, line) {
    const channelClass = CHANNEL_CLASSES.get(soleChannel(line));
    const className = channelClass ? `log-row log-row-${channelClass}` : "log-row";
    if (row.className !== className) row.className = className;
    this.#number(row, line.number);
  }

  #number(row, number) {
    const link = row.firstChild;
    if (number === null) {
      link.removeAttribute("href");
      link.dataset.number = "";
      link.ariaLabel = null;
      row.dataset.line = "";
    } else {
      link.href = `#L${number}`;
      link.dataset.number = number;
      link.ariaLabel = `Line ${number}`; // the number itself is drawn by the style sheet, for copies to be without it
      row.dataset.line = number;
    }
    if (link.title) link.title = "";
  }

  #isPlain({ spans }, segments) {
    if (segments.length > 0 || spans.length > 1) return false;
    return spans.length === 0 || (spans[0][1] === PLAIN && !MISLEADING.test(spans[0][2]));
  }

  /** Most lines: one text node, and it is there already. */
  #fillPlain(element, text) {
    const node = element.firstChild;
    if (node !== null && node === element.lastChild && node.nodeType === 3) {
      if (node.data !== text) node.data = text; // the same text again would take a selection's ends to its beginning
    } else {
      element.textContent = text;
    }
  }

  #pieces(spans, mixed) {
    const pieces = [];
    for (const [channel, pen, text, segment] of spans) {
      const look = paint(pen);
      if (mixed && CHANNEL_CLASSES.has(channel)) look.classes.push(`log-${CHANNEL_CLASSES.get(channel)}`);
      if (pen.link !== null) look.classes.push("log-link");
      if (segment) look.classes.push(segment.className);
      for (const [shown, boxed] of visiblePieces(text, Math.max(1, MAX_ROW_PIECES - pieces.length))) {
        pieces.push(this.#piece(shown, look, boxed, segment?.href ?? pen.link));
      }
    }
    return pieces;
  }

  #piece(text, { classes, color, background }, boxed, href) {
    if (classes.length === 0 && color === null && !boxed) return this.#document.createTextNode(text);
    const piece = this.#document.createElement(href ? "a" : "span");
    if (href) {
      piece.href = href;
      piece.rel = "noopener nofollow";
    }
    piece.className = boxed ? [...classes, "log-boxed"].join(" ") : classes.join(" ");
    if (color !== null) piece.style.setProperty("color", color);
    if (background !== null) piece.style.setProperty("background-color", background);
    piece.append(this.#document.createTextNode(text));
    return piece;
  }
}
