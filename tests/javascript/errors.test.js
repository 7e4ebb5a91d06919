import assert from "node:assert/strict";
import { test } from "node:test";

import { ErrorMarks } from "../../static/logviewer/js/errors.js";

const marks = (...places) => new ErrorMarks(places.map(([n, level]) => ({ n, level, text: `line ${n}` })));

test("from error to error, round at both ends, past warnings", () => {
  const errors = marks([40, "error"], [10, "error"], [20, "warning"], [90, "error"]);
  assert.deepEqual([0, 10, 20, 40, 90].map((line) => errors.next(line)), [10, 40, 40, 90, 10]);
  assert.deepEqual([100, 90, 40, 10].map((line) => errors.previous(line)), [90, 40, 10, 90]);
  assert.deepEqual([10, 20, 90].map((line) => errors.rank(line)), [1, 0, 3]);
  assert.deepEqual([errors.level, errors.count], ["error", 3]);
});

test("where there are no errors, the warnings", () => {
  const errors = marks([20, "warning"], [30, "warning"]);
  assert.deepEqual([errors.level, errors.next(20), errors.next(30)], ["warning", 30, 20]);
});

test("a line that is both is an error", () => {
  assert.equal(marks([5, "error"], [5, "warning"]).at(5).level, "error");
  assert.equal(marks([5, "warning"], [5, "error"]).at(5).level, "error");
});

test("none lead nowhere, and nonsense is none", () => {
  const errors = marks([0, "error"], [3, "disaster"], [1.5, "error"]);
  assert.deepEqual([errors.count, errors.next(1), errors.previous(1), errors.at(3)], [0, null, null, undefined]);
});
