import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { ageText, durationText } from "../../static/logviewer/js/moments.js";

// The same table is put to the server's words in tests/unit/pages/test_moments.py.
const table = JSON.parse(readFileSync(new URL("./moments.json", import.meta.url), "utf-8"));

test("a duration is said in its two largest units", () => {
  for (const [seconds, text] of table.durations) assert.equal(durationText(seconds), text, `${seconds} s`);
});

test("an age is said in its largest unit, and beyond a month as a date", () => {
  for (const [then, text] of table.ages) assert.equal(ageText(Date.parse(then), Date.parse(table.now)), text, then);
});
