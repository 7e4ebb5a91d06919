import { BLOCK_LINES, LinesSource } from "./lines-source.js";
import { parseMark } from "./marks.js";

/** The lines' source of the log that a viewer's element is for. */
export function sourceOf(element) {
  const raw = new URL(element.dataset.raw, element.ownerDocument.baseURI);
  return new LinesSource(new URL("lines", raw).href);
}

/**
 * Which lines are gone to first, `{first, last}`: those that the address marks, else the one that the element opens at
 * (`data-opens-at="L120"`); null where the log opens at one of its ends.
 */
export function firstTarget(element) {
  const { hash } = element.ownerDocument.defaultView.location;
  return parseMark(hash) ?? parseMark(`#${element.dataset.opensAt ?? ""}`);
}

/** Whether the log opens at its end: one that is written, and one whose element says so (`data-opens-at="end"`). */
export function opensAtEnd(element) {
  const { state, opensAt } = element.dataset;
  return firstTarget(element) === null && (state !== "finished" || opensAt === "end");
}

/** The first line to ask for, counted from the end where negative. */
export function firstStart(target, atEnd) {
  if (target !== null) return Math.floor((target.first - 1) / BLOCK_LINES) * BLOCK_LINES + 1;
  return atEnd ? -BLOCK_LINES : 1;
}

const asked = new WeakMap();

/** Ask for the lines that are seen first, or take what was asked for early. @returns {Promise<object>} an answer */
export function askFirst(element, source = sourceOf(element)) {
  const early = asked.get(element);
  asked.delete(element);
  if (early !== undefined) return early;
  return source.get(firstStart(firstTarget(element), opensAtEnd(element)), BLOCK_LINES);
}

/** Ask while the other modules are still on their way: the page has this one as a script of its own. */
export function askEarly(element) {
  const answer = askFirst(element);
  answer.catch(() => {}); // whoever takes it hears of it
  asked.set(element, answer);
}
