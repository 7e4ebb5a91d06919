import assert from "node:assert/strict";
import { test } from "node:test";

import { MAX_SCREEN_ROWS, Screen } from "../../static/logviewer/js/screen.js";
import { Terminal } from "../../static/logviewer/js/terminal.js";

const ESC = "\x1b";
const textOf = (line) => line.spans.map(([, , text]) => text).join("").trimEnd();

/** Writes `text` as a log and gives its lines, by number. */
function linesOf(text, { terminal = new Terminal(), screen = new Screen() } = {}) {
  const lines = new Map();
  for (const [at, piece] of text.split("\n").entries()) {
    if (at > 0) {
      terminal.endLine(0);
      screen.endLine();
    }
    terminal.write(0, piece, screen);
    if (at % 50 === 49) for (const line of screen.take()) lines.set(line.number, line);
  }
  for (const line of screen.take()) lines.set(line.number, line);
  return lines;
}

const shown = (text) => [...linesOf(text).values()].map((line) => [line.number, textOf(line), line.movedTo]);

test("plain lines are lines, with their numbers", () => {
  assert.deepEqual(shown("one\n\nthree\nfour"), [[1, "one", null], [2, "", null], [3, "three", null], [4, "four", null]]);
});

test("a log that ends with a line feed has no line after it", () => {
  assert.equal(linesOf("one\n").size, 1);
});

test("docker pull: one line writes to the rows above it and comes back", () => {
  const text = `a: Waiting\nb: Waiting\n${ESC}[2A${ESC}[2K\ra: Done\r${ESC}[2B${ESC}[1A${ESC}[2K\rb: 50%\r${ESC}[1B`;
  assert.deepEqual(shown(text), [[1, "a: Done", null], [2, "b: 50%", null], [3, "", 2]]);
});

test("docker pull: what is printed after it stands in its own line", () => {
  const text = `a: Waiting\n${ESC}[1A${ESC}[2K\ra: Done\r${ESC}[1BDigest: sha256\nnext`;
  assert.deepEqual(shown(text), [[1, "a: Done", null], [2, "Digest: sha256", null], [3, "next", null]]);
});

test("buildkit and npm: rows that are printed anew replace the old ones, and later lines keep their numbers", () => {
  const text = `a 0%\nb 0%\n${ESC}[2Aa 50%\nb 10%\n${ESC}[2A${ESC}[Ja 100%\nb 100%\nready`;
  const expected = [
    [1, "a 100%", null],
    [2, "b 100%", null],
    [3, "", 1],
    [4, "", 2],
    [5, "", 1],
    [6, "", 2],
    [7, "ready", null],
  ];
  assert.deepEqual(shown(text), expected);
});

test("fewer rows than before leave none of the old ones once they are erased", () => {
  const rows = shown(`a\nb\nc\n${ESC}[3F${ESC}[Jdone\n`);
  assert.deepEqual(rows.map(([, text]) => text), ["done", "", "", ""]);
});

test("up stops at the first row, down at the last", () => {
  assert.deepEqual(shown(`a\nb${ESC}[99Ax`), [[1, "ax", null], [2, "b", null]]);
  assert.deepEqual(shown(`a\nb${ESC}[99Bx`), [[1, "a", null], [2, "bx", null]]);
});

test("next and previous line go to the first column, up and down keep it", () => {
  assert.deepEqual(shown(`abc\nxyz${ESC}[F1${ESC}[E2`).map(([, text]) => text), ["1bc", "2yz"]);
  assert.deepEqual(shown(`abcdef\nxyz${ESC}[A1${ESC}[B2`).map(([, text]) => text), ["abc1ef", "xyz 2"]);
});

test("erase all keeps what was read before, out of reach", () => {
  const rows = shown(`old\nbar 1\n${ESC}[1A${ESC}[2Jbar 2\n${ESC}[9Atop`);
  assert.deepEqual(rows.map(([, text]) => text), ["old", "top 2", "", ""]);
  assert.deepEqual(shown(`one\ntwo${ESC}[2J three${ESC}[Ax`).map(([, text]) => text), ["one", "two threex"]);
});

test("a row more than a screen above is history", () => {
  const rows = shown(`${"x\n".repeat(MAX_SCREEN_ROWS + 20)}${ESC}[999Ahere`);
  assert.equal(rows.findIndex(([, text]) => text === "here"), 21);
});

test("a line is not ended while it is written, and then it is, once", () => {
  const screen = new Screen(7);
  screen.write(0, {}, "ab");
  assert.deepEqual(screen.take().map(({ number, ended }) => [number, ended]), [[7, false]]);
  assert.deepEqual(screen.take(), []);
  screen.endLine();
  assert.deepEqual(screen.take().map(({ number, ended }) => [number, ended]), [[7, true]]);
});

test("with gaps between numbers, as channel filters leave them, rows keep theirs", () => {
  const screen = new Screen();
  const terminal = new Terminal();
  for (const number of [3, 10, 900]) {
    screen.begin(number);
    terminal.write(0, number === 900 ? `${ESC}[1Aagain` : "text", screen);
    screen.endLine();
  }
  assert.deepEqual(screen.take().map((line) => [line.number, textOf(line), line.movedTo]), [
    [3, "text", null], [10, "again", null], [900, "", 10],
  ]);
});

/** A terminal as simple as can be: a list of rows of characters. */
function plainTerminal(operations) {
  const rows = [[]];
  let [row, column] = [0, 0];
  const acts = {
    text(text) {
      for (const character of text) {
        while (rows[row].length < column) rows[row].push(" ");
        rows[row][column++] = character;
      }
    },
    feed() {
      row += 1;
      column = 0;
      if (row === rows.length) rows.push([]);
    },
    rows: (count) => (row = Math.max(0, Math.min(rows.length - 1, row + count))),
    column: (to) => (column = to),
    eraseLine: () => rows[row].splice(column),
    eraseBelow() {
      rows[row].splice(column);
      for (const below of rows.slice(row + 1)) below.length = 0;
    },
  };
  for (const [name, value] of operations) acts[name](value);
  return rows.map((cells) => cells.join("").trimEnd());
}

const WRITTEN = {
  text: (text) => text,
  feed: () => "\n",
  rows: (count) => (count < 0 ? `${ESC}[${-count}A` : `${ESC}[${count}B`),
  column: (to) => (to === 0 ? "\r" : `${ESC}[${to + 1}G`),
  eraseLine: () => `${ESC}[K`,
  eraseBelow: () => `${ESC}[J`,
};

test("whatever is written, the rows are those of a terminal", () => {
  let seed = 1;
  const random = (below) => (seed = (seed * 48271) % 2147483647) % below;
  const make = [
    () => ["text", "abcdefgh".slice(0, 1 + random(8))],
    () => ["feed"],
    () => ["rows", (1 + random(4)) * (random(2) ? 1 : -1)],
    () => ["column", random(12)],
    () => ["eraseLine"],
    () => ["eraseBelow"],
  ];
  for (let round = 0; round < 300; round += 1) {
    const operations = Array.from({ length: 40 }, () => make[random(make.length)]());
    const log = operations.map(([name, value]) => WRITTEN[name](value)).join("");
    const lines = linesOf(log);
    const numbers = [...lines.keys()];
    assert.deepEqual(numbers, numbers.map((_, at) => at + 1), "every line is there, in order");
    const texts = (rows) => rows.filter((text) => text !== "");
    assert.deepEqual(texts([...lines.values()].map(textOf)), texts(plainTerminal(operations)), JSON.stringify(log));
  }
});

test("hostile movement costs time in proportion to its length, and bounded memory", () => {
  const long = `${"x".repeat(30_000)}\n`.repeat(150);
  const attacks = [`${ESC}[99A${ESC}[99B`, `${ESC}[J`, `${ESC}[A${ESC}[20000Gx`, `${ESC}[99Ax${ESC}[J${ESC}[99Bx`, `${ESC}[2J\n`];
  for (const attack of attacks) {
    const began = performance.now();
    linesOf(long + attack.repeat(Math.floor(200_000 / attack.length)));
    const took = performance.now() - began;
    assert.ok(took < 2_000, `${JSON.stringify(attack)} took ${Math.round(took)} ms`);
  }
});
