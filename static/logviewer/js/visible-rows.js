/**
 * Which lines are rows, in order: rows from 0, indexes of a BlockStore from 1. Others with the same three calls hide
 * lines; they must be as small as what they hide is.
 */
export const ALL_ROWS = Object.freeze({
  /** @param {number} total lines of the store */
  count: (total) => total,
  indexAt: (row) => row + 1,
  /** The row of that line, or of what stands for it. */
  rowOf: (index) => index - 1,
});
