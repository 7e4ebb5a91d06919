/**
 * How many row units (one unit: 20 px) each kept line takes, and the way between line numbers and distances.
 *
 * A Fenwick tree over a ring of slots: setting a height, asking for an offset and finding the line at an offset are
 * all O(log capacity), however many lines come in at the end and go at the front.
 */
export class RowHeights {
  #capacity;
  #tree;
  #heights;
  #first = 1;
  #last = 0;
  #total = 0;

  /** @param {number} lines how many lines are kept at the most */
  constructor(lines) {
    this.#capacity = 2 ** Math.ceil(Math.log2(lines + 1));
    this.reset(1);
  }

  /** How many lines have room. */
  get capacity() {
    return this.#capacity;
  }

  get first() {
    return this.#first;
  }

  get last() {
    return this.#last;
  }

  /** Of all lines together. */
  get total() {
    return this.#total;
  }

  /** No lines; the next one to come has the number `first`. */
  reset(first) {
    this.#tree = new Int32Array(this.#capacity + 1);
    this.#heights = new Int32Array(this.#capacity);
    this.#first = first;
    this.#last = first - 1;
    this.#total = 0;
  }

  /** Add line `last + 1`. */
  push(units) {
    this.#last += 1;
    this.#change(this.#last, units);
  }

  /** Add lines of one unit up to line `last`; many in one pass over all there is room for. */
  fill(last) {
    if ((last - this.#last) * Math.log2(this.#capacity) < this.#capacity) {
      while (this.#last < last) this.push(1);
      return;
    }
    const [heights, capacity] = [this.#heights, this.#capacity];
    for (let number = this.#last + 1; number <= last; number += 1) heights[number % capacity] = 1;
    this.#total += last - this.#last;
    this.#last = last;
    this.#sumUp(this.#tree, capacity);
  }

  #sumUp(tree, capacity) {
    tree.set(this.#heights, 1);
    for (let node = 1; node < capacity; node += 1) {
      const parent = node + (node & -node);
      tree[parent] += tree[node];
    }
  }

  /** @returns {boolean} whether that is another height than before */
  set(number, units) {
    if (number < this.#first || number > this.#last) return false;
    const difference = units - this.#heights[number % this.#capacity];
    if (difference !== 0) this.#change(number, difference);
    return difference !== 0;
  }

  /** Drop the lines before `first`. */
  dropBefore(first) {
    if (first > this.#last) {
      this.reset(first);
      return;
    }
    for (; this.#first < first; this.#first += 1) {
      this.#change(this.#first, -this.#heights[this.#first % this.#capacity]);
    }
  }

  /** Units before line `number`. */
  offsetOf(number) {
    const from = this.#first % this.#capacity;
    const to = number % this.#capacity;
    if (number <= this.#first) return 0;
    if (number > this.#last) return this.#total;
    return to > from ? this.#prefix(to) - this.#prefix(from) : this.#total - this.#prefix(from) + this.#prefix(to);
  }

  /** The line that covers the unit `units` from the start; the first or the last line where it is beyond. */
  numberAt(units) {
    if (units < 0 || this.#last < this.#first) return this.#first;
    if (units >= this.#total) return this.#last;
    const from = this.#first % this.#capacity;
    const absolute = this.#prefix(from) + units;
    const slot = this.#find(absolute >= this.#total ? absolute - this.#total : absolute);
    return this.#first + ((slot - from + this.#capacity) % this.#capacity);
  }

  #change(number, difference) {
    const slot = number % this.#capacity;
    this.#heights[slot] += difference;
    this.#total += difference;
    for (let node = slot + 1; node <= this.#capacity; node += node & -node) this.#tree[node] += difference;
  }

  /** Sum of the slots before `slot`. */
  #prefix(slot) {
    let sum = 0;
    for (let node = slot; node > 0; node -= node & -node) sum += this.#tree[node];
    return sum;
  }

  /** The slot whose height covers `units`. */
  #find(units) {
    let node = 0;
    let left = units;
    for (let step = this.#capacity; step > 0; step >>= 1) {
      if (node + step <= this.#capacity && this.#tree[node + step] <= left) {
        node += step;
        left -= this.#tree[node];
      }
    }
    return node;
  }
}
