import assert from "node:assert/strict";
import { test } from "node:test";

import { Gaps, TIME_MODES, lengthText, nextTimeMode, silenceText, timeColumns, timeText } from "../../static/logviewer/js/times.js";

const S = 1_000;

test("lengths are as fine as is of use", () => {
  const lengths = [0, 42, 999, 12_345, 59_999, 60 * S, 245_678, 3_599_999, 3_600 * S, 7_384 * S, 86_400 * S, 273_900 * S];
  assert.deepEqual(lengths.map(lengthText), [
    "0.00", "0.04", "0.99", "12.34", "59.99", "1:00.0", "4:05.6", "59:59.9", "1:00:00", "2:03:04", "1d 00:00", "3d 04:05",
  ]);
  assert.equal(lengthText(-5), "0.00");
});

test("four ways to say when", () => {
  const time = new Date(2026, 2, 1, 14, 3, 22).getTime();
  const since = { started: time - 12_300, before: time - 1_500 };
  assert.deepEqual(TIME_MODES.map((mode) => timeText(mode, time, since)), ["", "14:03:22", "12.30", "+1.50"]);
});

test("what is not known is not said", () => {
  assert.equal(timeText("clock", null, { started: 0, before: 0 }), "");
  assert.equal(timeText("start", 5, { started: Number.NaN, before: 0 }), "");
  assert.equal(timeText("before", 5, { started: 0, before: null }), "");
});

test("the column is as wide as the longest time in it", () => {
  for (const length of [0, 59_000, 245_000, 7_000_000, 10 ** 9]) {
    for (const mode of ["start", "before"]) {
      assert.ok(timeText(mode, length, { started: 0, before: 0 }).length <= timeColumns(mode, length), `${mode} ${length}`);
    }
  }
  assert.equal(timeColumns("off", 10 ** 9), 0);
});

test("the modes go round", () => {
  assert.equal(TIME_MODES.reduce((mode) => nextTimeMode(mode), "off"), "off");
  assert.equal(nextTimeMode("nonsense"), "off");
});

test("silences are told in words", () => {
  assert.deepEqual([10, 99.2, 130, 7_200].map(silenceText), [
    "silent for 10 s", "silent for 99 s", "silent for 2 min", "silent for 2 h 00 min",
  ]);
});

test("the longest silence comes first, then the next, and round again; short ones are none", () => {
  const gaps = new Gaps([{ n: 10, seconds: 30 }, { n: 50, seconds: 300 }, { n: 70, seconds: 2 }, { n: 90, seconds: 30 }]);
  assert.equal(gaps.count, 3);
  assert.deepEqual([gaps.before(50), gaps.before(70), gaps.before(51)], [300, undefined, undefined]);
  assert.equal(gaps.nextLongest(null), 50);
  assert.equal(gaps.nextLongest(50), 10);
  assert.equal(gaps.nextLongest(10), 90);
  assert.equal(gaps.nextLongest(90), 50);
  assert.equal(new Gaps().nextLongest(null), null);
});
