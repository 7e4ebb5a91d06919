import assert from "node:assert/strict";
import { test } from "node:test";

import { MARK_PX, bucketMarks } from "../../static/logviewer/js/scrollbar-marks.js";

test("places stand where they are in the whole", () => {
  assert.deepEqual(bucketMarks([0, 500, 999], 1_000, 300), [
    { at: 0, row: 0, count: 1 },
    { at: 150, row: 500, count: 1 },
    { at: 297, row: 999, count: 1 },
  ]);
});

test("places that are close are one mark, with their number and the first of them", () => {
  assert.deepEqual(bucketMarks([103, 100, 101], 1_000, 30), [{ at: MARK_PX, row: 100, count: 3 }]);
});

test("a hundred thousand places are no more marks than there is room for", () => {
  const rows = Array.from({ length: 100_000 }, (_, at) => at * 100);
  const marks = bucketMarks(rows, 10_000_000, 600);
  assert.equal(marks.length, 200);
  assert.equal(marks.reduce((sum, { count }) => sum + count, 0), 100_000);
});

test("without rows, room or sense there are no marks", () => {
  assert.deepEqual(bucketMarks([1], 0, 600), []);
  assert.deepEqual(bucketMarks([1], 10, 2), []);
  assert.deepEqual(bucketMarks([-1, 10, Number.NaN], 10, 600), []);
});
