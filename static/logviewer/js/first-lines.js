import { BLOCK_LINES } from "./block.js";
import { LinesSource } from "./lines-source.js";
import { parseMark } from "./marks.js";

/** The lines' source of the log that a viewer's element is for. */
export function sourceOf(element) {
  const raw = new URL(element.dataset.raw, element.ownerDocument.baseURI);
  return new LinesSource(new URL("lines", raw).href);
}

/** Which lines are seen first: the marked ones, the end of a log that is written, else the beginning. */
export function firstStart(mark, state) {
  if (mark !== null) return Math.floor((mark.first - 1) / BLOCK_LINES) * BLOCK_LINES + 1;
  return state === "finished" ? 1 : -BLOCK_LINES;
}

/** Ask for the lines that are seen first. @returns {Promise<object>} an answer, see LinesSource */
export function askFirst(element, source = sourceOf(element)) {
  const { hash } = element.ownerDocument.defaultView.location;
  return source.get(firstStart(parseMark(hash), element.dataset.state), BLOCK_LINES);
}
