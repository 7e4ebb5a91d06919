import { BLOCK_LINES, LinesSource } from "./lines-source.js";
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

const asked = new WeakMap();

/** Ask for the lines that are seen first, or take what was asked for early. @returns {Promise<object>} an answer */
export function askFirst(element, source = sourceOf(element)) {
  const early = asked.get(element);
  asked.delete(element);
  if (early !== undefined) return early;
  const { hash } = element.ownerDocument.defaultView.location;
  return source.get(firstStart(parseMark(hash), element.dataset.state), BLOCK_LINES);
}

/** Ask while the other modules are still on their way: the page has this one as a script of its own. */
export function askEarly(element) {
  const answer = askFirst(element);
  answer.catch(() => {}); // whoever takes it hears of it
  asked.set(element, answer);
}
