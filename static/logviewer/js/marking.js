import { extendMark } from "./marks.js";

/**
 * Marks, or extends the mark to, the line that the reader is at.
 *
 * @param {LogViewer} viewer
 * @returns {boolean} whether there is one
 */
export function markHere(viewer, { extend }) {
  const current = viewer.element.querySelector(".log-row-current")?.dataset.line;
  const [first, last] = [viewer.firstVisible(), viewer.lastVisible()];
  if (first === null) return false;
  const line = current >= first && current <= last ? Number(current) : first;
  const { mark } = viewer;
  const one = { first: line, last: line };
  // A mark grows from the end that the reader is not at.
  const anchor = mark === null || line > mark.first ? (mark?.first ?? line) : mark.last;
  viewer.setMark(extend ? extendMark(mark, line, anchor, viewer.log.lines) : one);
  viewer.setFollow(false);
  return true;
}

/** Marks all lines that there are: a selection of the browser's would have only those in the document. */
export function markAll(viewer) {
  const { lines } = viewer.log;
  if (lines === 0) return false;
  viewer.setMark({ first: 1, last: lines });
  viewer.setFollow(false);
  return true;
}
