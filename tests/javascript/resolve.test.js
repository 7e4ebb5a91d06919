import assert from "node:assert/strict";
import { test } from "node:test";

import { resolveLines } from "../../static/logviewer/js/resolve.js";
import { PLAIN } from "../../static/logviewer/js/sgr.js";

const ESC = "\x1b";
const raw = (first, ...texts) => texts.map((text, at) => ({ n: first + at, t: 0, runs: [[0, text]] }));
const nothing = { before: [], after: [] };
const resolved = (lines, around = nothing) => resolveLines(PLAIN, lines, () => around).lines;
const shown = (lines) => lines.map(({ number, spans, movedTo }) => [number, spans.map(([, , text]) => text).join("").trimEnd(), movedTo ?? null]);

test("lines without movement are what they were, and carry their colours", () => {
  const { lines, pen } = resolveLines(PLAIN, raw(5, "a", `${ESC}[31mb`, "c"), () => nothing);
  assert.deepEqual(shown(lines), [[5, "a", null], [6, "b", null], [7, "c", null]]);
  assert.deepEqual(lines.map(({ spans }) => spans[0][1].foreground), [null, 1, 1]);
  assert.equal(pen.foreground, 1);
});

test("text goes to the rows above, each line stays, and says where its text is", () => {
  const lines = resolved(raw(10, "a 0%", "b 0%", `${ESC}[2Aa 9%`, "b 9%", "end"));
  assert.deepEqual(shown(lines), [[10, "a 9%", null], [11, "b 9%", null], [12, "", 10], [13, "", 11], [14, "end", null]]);
});

test("what the lines of the next block write to these rows is seen, and what these write to the block before is gone", () => {
  const before = raw(1, "one", "two");
  const lines = resolved(raw(3, `${ESC}[1ATWO`, "four"), { before, after: raw(5, `${ESC}[1AFOUR`) });
  assert.deepEqual(shown(lines), [[3, "", 2], [4, "FOUR", null]]);
});

test("the pen behind the lines is theirs, not that of the lines after", () => {
  const { pen } = resolveLines(PLAIN, raw(1, "a", `${ESC}[A${ESC}[32mb`), () => ({ before: [], after: raw(3, `${ESC}[31mc`) }));
  assert.equal(pen.foreground, 2);
});

test("a cut line says its length, whether there is a screen or not", () => {
  for (const other of ["x", `${ESC}[Ax`]) {
    const lines = [{ n: 1, t: 0, bytes: 50_000_000, runs: [[0, "long"]] }, ...raw(2, other)];
    assert.deepEqual(resolved(lines).map(({ cut }) => cut), [50_000_000, null], other);
  }
});
