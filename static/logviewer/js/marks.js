/**
 * Marked lines and their address: `#L120`, `#L120-L140`.
 *
 * A mark is `{first, last}`, both from 1 and first ≤ last; null means none.
 */

const ADDRESS = /^#L(\d{1,15})(?:-L?(\d{1,15}))?$/;

export function parseMark(hash) {
  const match = ADDRESS.exec(hash);
  if (!match) return null;
  const one = Number(match[1]);
  const other = Number(match[2] ?? match[1]);
  return one < 1 || other < 1 ? null : { first: Math.min(one, other), last: Math.max(one, other) };
}

export function formatMark(mark) {
  if (mark === null) return "";
  return mark.first === mark.last ? `#L${mark.first}` : `#L${mark.first}-L${mark.last}`;
}

/** The mark after a click on `number`: that line, or with `extend` the range between it and the line marked before. */
export function clickMark(mark, number, extend, anchor) {
  if (!extend || mark === null) return { first: number, last: number };
  return { first: Math.min(anchor, number), last: Math.max(anchor, number) };
}

/**
 * The mark after a key extended it to `number`, from the line marked `anchor`; by the next line where that is within
 * it already, so that the last lines are reached too, of which none is ever the first in view.
 */
export function extendMark(mark, number, anchor, last) {
  if (mark === null || !isMarked(mark, number)) return clickMark(mark, number, true, anchor);
  return { first: mark.first, last: Math.min(mark.last + 1, Math.max(mark.last, last)) };
}

export const isMarked = (mark, number) => mark !== null && number >= mark.first && number <= mark.last;
