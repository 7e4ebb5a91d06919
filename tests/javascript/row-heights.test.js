import assert from "node:assert/strict";
import { test } from "node:test";

import { RowHeights } from "../../static/logviewer/js/row-heights.js";

/** The same by counting. */
class PlainHeights {
  lines = [];
  first = 1;

  offsetOf(number) {
    return this.lines.slice(0, Math.max(0, number - this.first)).reduce((sum, units) => sum + units, 0);
  }

  numberAt(units) {
    let end = 0;
    for (const [at, height] of this.lines.entries()) {
      end += height;
      if (units < end) return this.first + at;
    }
    return this.first + this.lines.length - 1;
  }
}

/** A small generator with a seed, so that a failure can be had again. */
function* numbers(seed) {
  let state = seed;
  for (;;) {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    yield state;
  }
}

test("lines of several heights are found by distance", () => {
  const heights = new RowHeights(10);
  for (const units of [1, 3, 1]) heights.push(units);
  assert.equal(heights.total, 5);
  assert.deepEqual([0, 1, 2, 3, 4].map((units) => heights.numberAt(units)), [1, 2, 2, 2, 3]);
  assert.deepEqual([1, 2, 3, 4].map((number) => heights.offsetOf(number)), [0, 1, 4, 5]);
});

test("distances beyond either end give the first or last line", () => {
  const heights = new RowHeights(10);
  heights.push(1);
  heights.push(1);
  assert.equal(heights.numberAt(-5), 1);
  assert.equal(heights.numberAt(99), 2);
});

test("setting a height tells whether it is another one", () => {
  const heights = new RowHeights(10);
  heights.push(1);
  assert.equal(heights.set(1, 1), false);
  assert.equal(heights.set(1, 4), true);
  assert.equal(heights.total, 4);
  assert.equal(heights.set(7, 4), false);
});

test("dropping all lines leaves room for later ones", () => {
  const heights = new RowHeights(4);
  for (let line = 0; line < 3; line += 1) heights.push(2);
  heights.dropBefore(100);
  assert.deepEqual([heights.first, heights.last, heights.total], [100, 99, 0]);
  heights.push(5);
  assert.equal(heights.numberAt(4), 100);
});

for (const [dropped, from, filled] of [
  [0, 1, 13],
  [0, 5, 8],
  [9, 9, 13],
  [9, 10, 2],
  [9, 12, 10],
]) {
  test(`lines filled in at once are as if each had been pushed (${dropped} dropped, ${from - 1} there, ${filled} more)`, () => {
    const [heights, pushed] = [new RowHeights(13), new RowHeights(13)];
    for (let number = 1; number < from; number += 1) for (const each of [heights, pushed]) each.push(1 + (number % 3));
    for (const each of [heights, pushed]) each.dropBefore(dropped);
    heights.fill(from - 1 + filled);
    for (let number = 0; number < filled; number += 1) pushed.push(1);
    for (const each of [heights, pushed]) each.set(from + 1, 4);
    assert.deepEqual([heights.first, heights.last, heights.total], [pushed.first, pushed.last, pushed.total]);
    for (let number = heights.first; number <= heights.last + 1; number += 1) {
      assert.equal(heights.offsetOf(number), pushed.offsetOf(number), `offset of ${number}`);
    }
    for (let units = 0; units < heights.total; units += 1) {
      assert.equal(heights.numberAt(units), pushed.numberAt(units), `line at ${units}`);
    }
  });
}

for (const seed of [1, 2, 3, 4, 5]) {
  test(`it agrees with counting while lines come and go around the ring (seed ${seed})`, () => {
    const CAPACITY = 13;
    const random = numbers(seed);
    const next = (below) => random.next().value % below;
    const heights = new RowHeights(CAPACITY);
    const plain = new PlainHeights();
    for (let step = 0; step < 400; step += 1) {
      if (plain.lines.length >= CAPACITY || (next(4) === 0 && plain.lines.length > 0)) {
        plain.lines.shift();
        plain.first += 1;
        heights.dropBefore(plain.first);
      } else if (next(3) === 0 && plain.lines.length > 0) {
        const at = next(plain.lines.length);
        plain.lines[at] = 1 + next(5);
        heights.set(plain.first + at, plain.lines[at]);
      } else {
        const units = 1 + next(5);
        plain.lines.push(units);
        heights.push(units);
      }
      assert.equal(heights.total, plain.offsetOf(Infinity));
      for (let number = plain.first; number <= plain.first + plain.lines.length; number += 1) {
        assert.equal(heights.offsetOf(number), plain.offsetOf(number), `offset of ${number} at step ${step}`);
      }
      for (let units = 0; units < heights.total; units += 1) {
        assert.equal(heights.numberAt(units), plain.numberAt(units), `line at ${units} at step ${step}`);
      }
    }
  });
}
