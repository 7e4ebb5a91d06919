/**
 * Marks beside the scroll bar: where in the whole log something lies. However many places there are, there are at most
 * as many marks as the bar has room for.
 */

/** A mark's height: less could not be seen or hit. */
export const MARK_PX = 3;

/**
 * @param {Iterable<number>} rows places, from 0, in any order; what lies outside is left out
 * @param {number} total rows there are
 * @param {number} height of the bar in px
 * @returns {{at: number, row: number, count: number}[]} from top to bottom: `at` in px, the first row, and how many
 *   places the mark stands for
 */
export function bucketMarks(rows, total, height) {
  const room = Math.floor(height / MARK_PX);
  if (total < 1 || room < 1) return [];
  const buckets = new Map();
  for (const row of rows) {
    if (!(row >= 0 && row < total)) continue;
    const bucket = Math.min(room - 1, Math.floor((row / total) * room));
    const mark = buckets.get(bucket);
    if (!mark) buckets.set(bucket, { at: bucket * MARK_PX, row, count: 1 });
    else {
      mark.count += 1;
      mark.row = Math.min(mark.row, row);
    }
  }
  return [...buckets.values()].sort((one, other) => one.at - other.at);
}
