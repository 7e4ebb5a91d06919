import assert from "node:assert/strict";
import { test } from "node:test";

import { amountText, completenessOf, momentText } from "../../static/logviewer/js/completeness.js";

const now = new Date(2026, 2, 1, 18, 0).getTime();
const noon = new Date(2026, 2, 1, 12, 4).getTime();
const log = (fields) => ({ state: "finished", completeness: "unverified", omitted: 0, sha256: null, ...fields });
const said = (fields, last = noon) => completenessOf(log(fields), last, now);

test("amounts are whole, and small ones with a tenth", () => {
  assert.deepEqual([1, 812, 999, 4_200, 9_960, 42_000_000, 999_600, 3e12, 5e15].map(amountText), [
    "1 byte", "812 bytes", "999 bytes", "4.2 kB", "10 kB", "42 MB", "1 MB", "3 TB", "5000 TB",
  ]);
});

test("a moment of another day has its date", () => {
  assert.equal(momentText(noon, now), "12:04");
  assert.match(momentText(noon - 86_400_000, now), /28 Feb 2026.* 12:04/);
});

test("what a reader has to know of a log's end", () => {
  assert.equal(said({ state: "open", completeness: null }).text, "still being written");
  assert.equal(said({ state: "abandoned", completeness: null }).text, "writer went silent at 12:04");
  assert.equal(said({ completeness: "abandoned" }, null).text, "writer went silent");
  assert.equal(said({ completeness: "omitted", omitted: 42_000_000 }).text, "42 MB omitted here");
  assert.equal(said({ completeness: "verified" }).text, "complete, SHA-256 verified");
  assert.equal(said({}).text, "finished, not verified");
});

test("only a verified log is said to be good, and what lacks something is not quiet", () => {
  assert.equal(said({ completeness: "verified", sha256: "ab" }).level, "good");
  assert.equal(said({ completeness: "omitted", omitted: 1 }).level, "wary");
  assert.equal(said({}).level, "quiet");
});
