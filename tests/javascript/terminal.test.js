import assert from "node:assert/strict";
import { test } from "node:test";

import { MAX_LINE_COLUMNS, MAX_LINE_SPANS, TerminalLine } from "../../static/logviewer/js/terminal-line.js";
import { Terminal } from "../../static/logviewer/js/terminal.js";

const ESC = "\x1b";

/** Writes pieces, `text` or `[channel, text]`, as one line. */
function lineOf(...pieces) {
  const terminal = new Terminal();
  const line = new TerminalLine();
  for (const piece of pieces) {
    const [channel, text] = typeof piece === "string" ? [0, piece] : piece;
    terminal.write(channel, text, line);
  }
  return line.snapshot();
}

const shown = (...pieces) => lineOf(...pieces).spans.map(([, , text]) => text).join("");

const screens = [
  ["plain text stays", "plain text", "plain text"],
  ["a carriage return writes over", "10%\r20%", "20%"],
  ["what is longer shows behind what is shorter", "abcdef\rXY", "XYcdef"],
  ["a carriage return at the end changes nothing", "abc\r", "abc"],
  ["several returns are as one", "abc\r\r\rX", "Xbc"],
  ["erase to the end of the line after a return", `long text\r${ESC}[Kok`, "ok"],
  ["erase with an explicit 0", `long text\r${ESC}[0Kok`, "ok"],
  ["erase at the end, as grep and gcc do, erases nothing", `abc${ESC}[Kdef`, "abcdef"],
  ["erase the whole line keeps the column", `abc${ESC}[2KX`, "   X"],
  ["erase the whole line, then return", `abc${ESC}[2K\rX`, "X"],
  ["erase up to the cursor", `abcdef\r${ESC}[3C${ESC}[1KX`, "   Xef"],
  ["backspace writes over", "abc\b\bX", "aXc"],
  ["backspaces stop at the start", "ab\b\b\b\b\bX", "Xb"],
  ["cursor to a column", `abcdef${ESC}[2GX`, "aXcdef"],
  ["cursor to the first column by default", `abcdef${ESC}[GX`, "Xbcdef"],
  ["cursor forward leaves blanks", `a${ESC}[3Cb`, "a   b"],
  ["cursor back", `abc${ESC}[2DX`, "aXc"],
  ["a tab over written text moves, and erases nothing", "abcdefghij\r\tX", "abcdefghXj"],
  ["a tab stays a tab where nothing is written over", "a\tb", "a\tb"],
  ["a combining mark stays with its character", "e\u0301f\rX", "Xf"],
  ["a character outside the BMP is one cell", "😀😀\rX", "X😀"],
];

for (const [what, written, expected] of screens) {
  test(what, () => assert.equal(shown(written), expected));
  test(`${what}: character by character`, () => assert.equal(shown(...written), expected));
}

const vanishing = {
  "a private mode": `${ESC}[?25l`,
  "cursor up": `${ESC}[1A`,
  "erase in display": `${ESC}[2J`,
  "a sequence with an intermediate": `${ESC}[0 q`,
  "xterm's modified keys, which end in m": `${ESC}[>4;2m`,
  "an m with an intermediate": `${ESC}[1!m`,
  "a character set": `${ESC}(B`,
  "a save of the cursor": `${ESC}7`,
  "a title ended by BEL": `${ESC}]0;title\x07`,
  "a title ended by ST": `${ESC}]0;title${ESC}\\`,
  "a link": `${ESC}]8;;https://example.org${ESC}\\`,
  "a device control string": `${ESC}P1$r0m${ESC}\\`,
  "an application program command": `${ESC}_anything${ESC}\\`,
  "a privacy message": `${ESC}^anything${ESC}\\`,
  "a start of string": `${ESC}Xanything${ESC}\\`,
  "a string that is cancelled": `${ESC}]0;title\x18`,
};

for (const [what, sequence] of Object.entries(vanishing)) {
  test(`${what} vanishes, at every split position`, () => {
    const text = `a${sequence}b`;
    for (let at = 0; at <= text.length; at += 1) {
      const { spans } = lineOf(text.slice(0, at), text.slice(at));
      assert.deepEqual(spans.map(([, pen, part]) => [part, pen.bold]), [["ab", false]], `split at ${at}`);
    }
  });
}

test("a colour survives every split position of its sequence", () => {
  const text = `a${ESC}[1;38:2::255:0:127mb`;
  for (let at = 0; at <= text.length; at += 1) {
    const { spans } = lineOf(text.slice(0, at), text.slice(at));
    assert.deepEqual(spans.map(([, pen, part]) => [part, pen.foreground]), [["a", null], ["b", "#ff007f"]]);
  }
});

test("an escape in a string ends it and begins a sequence", () => {
  const { spans } = lineOf(`${ESC}]0;title${ESC}[31mred`);
  assert.deepEqual(spans.map(([, pen, text]) => [text, pen.foreground]), [["red", 1]]);
});

test("an unterminated string ends with its line, and the next line is whole", () => {
  const terminal = new Terminal();
  const [one, two] = [new TerminalLine(), new TerminalLine()];
  terminal.write(0, `a${ESC}]0;never ends`, one);
  terminal.endLine(0);
  terminal.write(0, "b", two);
  assert.equal(one.snapshot().spans[0][2], "a");
  assert.equal(two.snapshot().spans[0][2], "b");
});

test("a sequence that is cut off by the end of its line is forgotten", () => {
  const terminal = new Terminal();
  const [one, two] = [new TerminalLine(), new TerminalLine()];
  terminal.write(0, `a${ESC}[3`, one);
  terminal.endLine(0);
  terminal.write(0, "1mb", two);
  assert.equal(two.snapshot().spans[0][2], "1mb");
});

test("colours are carried over lines and channels, as on one terminal", () => {
  const terminal = new Terminal();
  const [one, two] = [new TerminalLine(), new TerminalLine()];
  terminal.write(0, `${ESC}[31mred`, one);
  terminal.write(1, "red too", one);
  terminal.endLine(0);
  terminal.write(1, "still", two);
  terminal.write(0, "still red", two);
  const look = (line) => line.snapshot().spans.map(([channel, pen, text]) => [channel, pen.foreground, text]);
  assert.deepEqual(look(one), [[0, 1, "red"], [1, 1, "red too"]]);
  assert.deepEqual(look(two), [[1, 1, "still"], [0, 1, "still red"]]);
});

test("a sequence of one channel is not disturbed by the other channel's text and line ends", () => {
  const terminal = new Terminal();
  const line = new TerminalLine();
  terminal.write(0, `${ESC}[3`, line);
  terminal.write(1, "x", line);
  terminal.endLine(1);
  terminal.write(0, "1mred", line);
  assert.deepEqual(line.snapshot().spans.map(([channel, pen, text]) => [channel, pen.foreground, text]), [
    [1, null, "x"],
    [0, 1, "red"],
  ]);
});

test("what is written over keeps the colours of what remains", () => {
  const { spans } = lineOf(`${ESC}[31mabcdef${ESC}[0m\r${ESC}[32mXY`);
  assert.deepEqual(spans.map(([, pen, text]) => [text, pen.foreground]), [["XY", 2], ["cdef", 1]]);
});

test("a snapshot is not changed by what is written later", () => {
  const terminal = new Terminal();
  const line = new TerminalLine();
  terminal.write(0, "abc", line);
  const { spans } = line.snapshot();
  terminal.write(0, "def", line);
  assert.equal(spans[0][2], "abc");
});

test("columns count tabs at 8", () => {
  assert.equal(lineOf("a\tb\t").columns, 16);
  assert.equal(lineOf("abc").columns, 3);
});

test("a line that was erased is not empty, so that it does not come and go", () => {
  const terminal = new Terminal();
  const line = new TerminalLine();
  assert.ok(line.isEmpty);
  terminal.write(0, `${ESC}[31m`, line);
  assert.ok(line.isEmpty);
  terminal.write(0, `abc\r${ESC}[K`, line);
  assert.ok(!line.isEmpty);
});

// Attacks: each is bounded in what it keeps and in the time it takes.

const HANGS = { timeout: 20_000 };

test("100,000 colour changes in one line become a bounded number of spans, the rest plain", HANGS, () => {
  let text = "";
  for (let change = 0; change < 100_000; change += 1) text += `${ESC}[3${change % 8}mx`;
  const { spans, cut } = lineOf(text);
  assert.equal(spans.length, MAX_LINE_SPANS);
  assert.equal(spans.at(-1)[1].foreground, null);
  assert.equal(spans.reduce((sum, span) => sum + span[2].length, 0), MAX_LINE_COLUMNS);
  assert.equal(cut, 100_000);
});

test("100,000 true colours over which is written are bounded too", HANGS, () => {
  let text = "\r.\r";
  for (let change = 0; change < 100_000; change += 1) text += `${ESC}[38;2;${change % 256};${(change >> 8) % 256};0mx`;
  assert.equal(lineOf(text).spans.length, MAX_LINE_SPANS);
});

test("a progress bar of a megabyte shows its last state", HANGS, () => {
  let text = "";
  for (let step = 0; step < 20_000; step += 1) text += `\r${ESC}[K${step} of 20000 ${"=".repeat(step % 40)}>`;
  const { spans, cut } = lineOf(text);
  assert.match(spans[0][2], /^19999 of 20000 =*>$/);
  assert.equal(cut, null);
});

test("erasing a long line again and again does not hang", HANGS, () => {
  const erasures = `${ESC}[1K`.repeat(500_000);
  assert.equal(lineOf("x".repeat(MAX_LINE_COLUMNS), erasures).columns, MAX_LINE_COLUMNS);
});

test("moving far to the right makes no endless blanks", HANGS, () => {
  assert.ok(lineOf(`${ESC}[999999999C`.repeat(1000), "x").columns < 1000);
  assert.ok(lineOf(`${ESC}[999999999999999999999999Gx`).columns < 1000);
});

test("an endless parameter is not kept", HANGS, () => {
  const terminal = new Terminal();
  const line = new TerminalLine();
  terminal.write(0, `${ESC}[`, line);
  for (let piece = 0; piece < 10_000; piece += 1) terminal.write(0, "1;".repeat(50), line);
  const next = new TerminalLine();
  terminal.write(0, `${ESC}[32mgreen`, next);
  assert.deepEqual(next.snapshot().spans.map(([, pen, text]) => [pen.foreground, text]), [[2, "green"]]);
});

test("an endless string in small pieces takes linear time", HANGS, () => {
  const terminal = new Terminal();
  const line = new TerminalLine();
  terminal.write(0, `${ESC}]`, line);
  for (let piece = 0; piece < 200_000; piece += 1) terminal.write(0, "never ending ", line);
  assert.ok(line.isEmpty);
});

test("a million escapes that begin nothing vanish", HANGS, () => {
  assert.equal(shown(`${ESC}[`.repeat(500_000) + `${ESC}`.repeat(500_000) + "\x01end").slice(-3), "end");
});
