import assert from "node:assert/strict";
import { test } from "node:test";

import { Folds, MAX_DEPTH } from "../../static/logviewer/js/folds.js";

function folded(marks, ...closed) {
  const folds = new Folds();
  folds.update(marks.map(([start, end, name = "x"]) => ({ start, end, name })));
  for (const start of closed) folds.toggle(folds.at(start));
  return folds;
}

/** Rows as a viewer would draw them: line numbers in order. */
const seen = (folds, lines) => Array.from({ length: folds.rows(lines) }, (_, row) => folds.lineAt(row));

test("nothing is closed at first, and every line has its row", () => {
  const folds = folded([[2, 5]]);
  assert.deepEqual(seen(folds, 7), [1, 2, 3, 4, 5, 6, 7]);
  assert.equal(folds.toParameter(), "");
});

test("a closed fold shows its first line alone", () => {
  const folds = folded([[2, 5]], 2);
  assert.deepEqual(seen(folds, 7), [1, 2, 6, 7]);
  assert.deepEqual([1, 2, 3, 5, 6, 7].map((line) => folds.rowOf(line)), [0, 1, 1, 1, 2, 3]);
});

test("folds within a closed fold keep their own state", () => {
  const folds = folded([[1, 10], [3, 5], [7, 8]], 3, 1);
  assert.deepEqual(seen(folds, 12), [1, 11, 12]);
  folds.toggle(folds.at(1));
  assert.deepEqual(seen(folds, 12), [1, 2, 3, 6, 7, 8, 9, 10, 11, 12]);
});

test("a line that is gone to opens all that hides it, and nothing else", () => {
  const folds = folded([[1, 10], [3, 5], [7, 8]]);
  folds.setAll(true);
  assert.equal(folds.reveal(4), true);
  assert.deepEqual(seen(folds, 11), [1, 2, 3, 4, 5, 6, 7, 9, 10, 11]);
  assert.equal(folds.reveal(4), false);
});

test("lines beyond, before and between nothing hides", () => {
  const folds = folded([[2, 3], [6, 7]], 2, 6);
  assert.deepEqual([1, 2, 3, 4, 5, 6, 7, 8].map((line) => folds.isHidden(line)), [
    false, false, true, false, false, false, true, false,
  ]);
  assert.deepEqual(folds.hidden, [[3, 3], [7, 7]]);
});

test("a fold that is still open hides all that comes, and what is closed stays closed as the log grows", () => {
  const folds = folded([[2, null]], 2);
  assert.equal(folds.rows(1_000), 2);
  folds.update([{ start: 2, end: 40, name: "x" }, { start: 60, end: null, name: "y" }]);
  assert.equal(folds.rows(1_000), 962);
  assert.equal(folds.lineAt(2), 41);
});

test("folds that cross are cut at the end of the one around them; empty and broken ones are none", () => {
  const folds = folded([[1, 5], [3, 9], [6, 6], [8, 2], [-4, 3], [1, 3]]);
  assert.deepEqual(folds.list.map(({ start, end, depth }) => [start, end, depth]), [[1, 5, 0], [3, 5, 1]]);
});

test("a thousand levels are folds too, drawn no deeper than the deepest", () => {
  const folds = folded(Array.from({ length: 1_000 }, (_, at) => [at + 1, 3_000 - at]));
  assert.equal(folds.list.at(-1).depth, MAX_DEPTH);
  folds.setAll(true);
  assert.equal(folds.rows(3_000), 1);
  folds.reveal(1_500);
  assert.equal(folds.rows(3_000), 3_000);
});

test("the address holds what is not the default, and is read back", () => {
  const folds = folded([[1, 10], [3, 5], [20, 30]], 20, 3);
  assert.equal(folds.toParameter(), "3.20");
  folds.setAll(true);
  folds.toggle(folds.at(3));
  assert.equal(folds.toParameter(), "all.3");
  const other = folded([[1, 10], [3, 5], [20, 30]]);
  other.readParameter("all.3.x.-1.99999999999999999");
  assert.equal(other.isClosed(other.at(1)), true);
  assert.equal(other.isClosed(other.at(3)), false);
  other.readParameter(null);
  assert.equal(other.toParameter(), "");
});

test("rows and lines agree, whatever is closed, at a hundred thousand folds", () => {
  let seed = 7;
  const random = (below) => (seed = (seed * 48271) % 2147483647) % below;
  const marks = Array.from({ length: 100_000 }, (_, at) => [at * 100 + 1 + random(20), at * 100 + 30 + random(60)]);
  const folds = folded(marks);
  folds.setAll(true);
  for (let round = 0; round < 50; round += 1) folds.toggle(folds.list[random(folds.list.length)]);
  const lines = 10_000_000;
  for (let round = 0; round < 2_000; round += 1) {
    const line = 1 + random(lines);
    const row = folds.rowOf(line);
    const at = folds.lineAt(row);
    assert.ok(folds.isHidden(line) ? at < line : at === line, `line ${line} is in row ${row}, which has ${at}`);
  }
  assert.equal(folds.rowOf(lines), folds.rows(lines) - 1);
});
