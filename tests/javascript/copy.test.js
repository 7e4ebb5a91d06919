import assert from "node:assert/strict";
import { test } from "node:test";

import { MAX_COPY_LINES, TooMuchToCopy, readText } from "../../static/logviewer/js/copy.js";

/** A log whose line n is `textOf(n)`, at most `most` lines an answer. */
function logOf(total, textOf, most = 5_000) {
  const asked = [];
  const fetchLines = async (start, count) => {
    asked.push([start, count]);
    const length = Math.max(0, Math.min(count, most, total - start + 1));
    return { total, lines: Array.from({ length }, (_, at) => ({ n: start + at, runs: [[0, textOf(start + at)]] })) };
  };
  return { asked, fetchLines };
}

test("lines are joined, without numbers and escape sequences", async () => {
  const { fetchLines } = logOf(10, (n) => `\x1b[31mline\x1b[0m ${n}`);
  const { text, lines } = await readText({ first: 3, last: 5 }, fetchLines);
  assert.equal(text, "line 3\nline 4\nline 5");
  assert.equal(lines, 3);
});

test("what was written over is copied as it is shown", async () => {
  const texts = ["10%\r100%", "bar 1", "\x1b[1Abar 2", "end"];
  const { fetchLines } = logOf(4, (n) => texts[n - 1]);
  assert.equal((await readText({ first: 1, last: 4 }, fetchLines)).text, "100%\nbar 2\n\nend");
});

test("many lines come in pieces, as small as the server likes, and each is told", async () => {
  const { asked, fetchLines } = logOf(30_000, String, 4_000);
  const told = [];
  const { text, lines } = await readText({ first: 1_001, last: 13_000 }, fetchLines, (...done) => told.push(done));
  assert.equal(lines, 12_000);
  assert.equal(text, Array.from({ length: 12_000 }, (_, at) => at + 1_001).join("\n"));
  assert.deepEqual(asked, [[1_001, 5_000], [5_001, 5_000], [9_001, 4_000]]);
  assert.deepEqual(told.at(-1), [12_000, 12_000]);
});

test("a range that ends behind the log ends with the log", async () => {
  const { fetchLines } = logOf(4, String);
  assert.equal((await readText({ first: 3, last: 9 }, fetchLines)).text, "3\n4");
  assert.equal((await readText({ first: 7, last: 9 }, fetchLines)).text, "");
});

test("more than a clipboard holds is refused before, or as soon as it is known", async () => {
  const many = logOf(10 ** 7, String);
  await assert.rejects(readText({ first: 1, last: MAX_COPY_LINES + 1 }, many.fetchLines), TooMuchToCopy);
  assert.deepEqual(many.asked, []);
  const long = logOf(5_000, () => "x".repeat(20_000), 200);
  await assert.rejects(readText({ first: 1, last: 5_000 }, long.fetchLines), /raw text/);
  assert.ok(long.asked.length < 6);
});

test("lines that the server cut are counted", async () => {
  const fetchLines = async () => ({ total: 1, lines: [{ n: 1, bytes: 50_000_000, runs: [[0, "x"]] }] });
  assert.equal((await readText({ first: 1, last: 1 }, fetchLines)).cut, 1);
});

test("of chosen channels only their lines are copied, counted as these are", async () => {
  const numbers = [2, 5, 408, 409, 600, 900];
  const asked = [];
  const fetchLines = async (start, count) => {
    asked.push(start);
    const lines = numbers.slice(start - 1, start - 1 + Math.min(count, 2)).map((n) => ({ n, runs: [[1, `e${n}`]] }));
    return { total: numbers.length, lines };
  };
  const told = [];
  const read = (mark, index) => readText(mark, fetchLines, (...done) => told.push(done), index);
  assert.deepEqual(await read({ first: 3, last: 600 }, 2), { text: "e5\ne408\ne409\ne600", lines: 4, cut: 0 });
  assert.deepEqual([asked, told.at(-1)], [[2, 4], [598, 598]]);
  assert.equal((await read({ first: 410, last: 500 }, 5)).text, "");
  assert.equal((await read({ first: 950, last: 999 }, 6)).text, "");
});
