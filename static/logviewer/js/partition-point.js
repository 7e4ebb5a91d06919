/**
 * How many of `items` come before the first one that `holds` denies, by binary search: `holds` is true for a beginning
 * of them and false for the rest.
 *
 * @template T
 * @param {T[]} items
 * @param {(item: T) => boolean} holds
 */
export function partitionPoint(items, holds) {
  let [low, high] = [0, items.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(items[middle])) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** First place in sorted `numbers` that is at least `value`. */
export const placeOf = (numbers, value) => partitionPoint(numbers, (number) => number < value);
