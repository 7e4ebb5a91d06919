import assert from "node:assert/strict";
import { test } from "node:test";

import { LiveTail } from "../../static/logviewer/js/live-tail.js";
import { applySgr, PLAIN } from "../../static/logviewer/js/sgr.js";
import { bytesOf, frameOf } from "./frames.js";

const textOf = (line) => line.spans.map(([, , text]) => text).join("");

/** A tail, and all lines it gave out. */
function newTail() {
  const ended = [];
  const tail = new LiveTail((line) => ended.push(line));
  const lines = () => (tail.unfinished === null ? ended : [...ended, tail.unfinished]);
  return { tail, lines, line: (number) => lines().find((line) => line.number === number) };
}

function tailOf(runs) {
  const made = newTail();
  made.tail.append(frameOf(runs));
  return made;
}

const textsOf = ({ lines }) => lines().map(textOf);

test("bytes become numbered lines", () => {
  const made = tailOf([[0, "one\ntwo\n\nfo", 5]]);
  assert.deepEqual(textsOf(made), ["one", "two", "", "fo"]);
  assert.deepEqual(made.lines().map(({ number, ended }) => [number, ended]), [
    [1, true],
    [2, true],
    [3, true],
    [4, false],
  ]);
  assert.deepEqual([made.tail.next, made.tail.last], [4, 4]);
});

test("where nothing came there is no line, and the same one is the same object until it changes", () => {
  const made = newTail();
  assert.deepEqual([made.tail.unfinished, made.tail.last], [null, 0]);
  made.tail.append(frameOf([[0, "a"]]));
  const { unfinished } = made.tail;
  assert.equal(made.tail.unfinished, unfinished);
  made.tail.append(frameOf([[0, "b"]]));
  assert.notEqual(made.tail.unfinished, unfinished);
  assert.equal(textOf(unfinished), "a");
});

test("a line's time is that of its first byte", () => {
  const made = tailOf([[0, "be", 10], [0, "gun\nnext", 20], [1, "\n", 30], [1, "\n", 40]]);
  assert.deepEqual(made.lines().map(({ time }) => time), [10, 20, 40]);
});

test("channels share a line, each with its own span", () => {
  const line = tailOf([[0, "out "], [1, "err"], [0, " out"], [0, " more\n"]]).line(1);
  assert.deepEqual(line.spans.map(([channel, , text]) => [channel, text]), [[0, "out "], [1, "err"], [0, " out more"]]);
});

test("a stream from the middle keeps the log's numbers, and goes on in the colour before it", () => {
  const made = newTail();
  made.tail.start(501, applySgr(PLAIN, "1;31"));
  made.tail.append(frameOf([[0, "a\nb\n"]], { offset: 9999, line: 501 }));
  assert.deepEqual(made.lines().map(({ number }) => number), [501, 502]);
  assert.equal(made.line(502).spans[0][1].foreground, 1);
});

test("multi-byte characters survive every split position", () => {
  const text = "aé€😀\n🏳️‍🌈ß\n終わり";
  const bytes = bytesOf(text);
  for (let at = 0; at <= bytes.length; at += 1) {
    const made = tailOf([[0, bytes.slice(0, at)], [0, bytes.slice(at)]]);
    made.tail.finish();
    assert.equal(textsOf(made).join("\n"), text, `split at ${at}`);
  }
});

test("multi-byte characters survive when every byte is a frame", () => {
  const text = "aé€😀\n終わり\n";
  const made = newTail();
  for (const byte of bytesOf(text)) made.tail.append(frameOf([[0, [byte]]]));
  assert.deepEqual(textsOf(made), text.split("\n").slice(0, -1));
});

test("channels interleaved within characters, at every pair of positions, are decoded each by itself", () => {
  const out = bytesOf("é€\n");
  const err = bytesOf("😀ß\n");
  for (let one = 0; one <= out.length; one += 1) {
    for (let other = 0; other <= err.length; other += 1) {
      const made = tailOf([
        [0, out.slice(0, one)],
        [1, err.slice(0, other)],
        [0, out.slice(one)],
        [1, err.slice(other)],
      ]);
      made.tail.finish();
      const spans = textsOf(made).join("\n");
      assert.ok(!spans.includes("\ufffd"), `split at ${one} and ${other}`);
      const of = (channel) => {
        let text = "";
        for (let number = 1; number <= made.tail.last; number += 1) {
          for (const span of made.line(number).spans) if (span[0] === channel) text += span[2];
        }
        return text;
      };
      assert.deepEqual([of(0), of(1)], ["é€", "😀ß"], `split at ${one} and ${other}`);
      assert.equal(made.tail.next, 3);
    }
  }
});

test("invalid UTF-8 becomes U+FFFD and takes no line feed with it", () => {
  const made = tailOf([[0, [0xff, 0x61, 0xc3, 0x0a, 0xe2, 0x82, 0x0a, 0xed, 0xa0, 0x80, 0x0a]]]);
  assert.deepEqual(textsOf(made), ["\ufffda\ufffd", "\ufffd", "\ufffd\ufffd\ufffd"]);
});

test("a character that never comes to its end shows at the finish", () => {
  const made = tailOf([[0, [0x61, 0xe2, 0x82]]]);
  assert.deepEqual(textsOf(made), ["a"]);
  made.tail.finish();
  assert.deepEqual(textsOf(made), ["a\ufffd"]);
});

test("a byte order mark is not swallowed", () => {
  assert.deepEqual(textsOf(tailOf([[0, "\ufeffx\n"]])), ["\ufeffx"]);
});

test("a line over 20 KB is cut and its full length told, however it arrives", () => {
  const made = newTail();
  for (let piece = 0; piece < 300; piece += 1) made.tail.append(frameOf([[0, "0123456789".repeat(100)]]));
  assert.equal(made.line(1).cut, 300_000);
  made.tail.append(frameOf([[0, "\nnext"]]));
  assert.equal(made.line(1).cut, 300_000);
  assert.equal(textOf(made.line(1)).length, 20_480);
  assert.deepEqual([textOf(made.line(2)), made.line(2).cut], ["next", null]);
});

test("a cut does not halve a character", () => {
  const made = tailOf([[0, `x${"😀".repeat(20_000)}\n`]]);
  assert.ok(textOf(made.line(1)).isWellFormed?.() ?? !/[\ud800-\udbff]$/.test(textOf(made.line(1))));
});

test("colours change beyond the cut, too", () => {
  const made = tailOf([[0, `\x1b[31m${"x".repeat(30_000)}\x1b[32m\nnext\n`]]);
  assert.equal(made.line(2).spans[0][1].foreground, 2);
});

test("a start drops everything: lines, colours, halves of characters", () => {
  const made = tailOf([[0, "\x1b[31mone\ntw"], [0, [0xc3]]]);
  made.tail.start(40);
  assert.equal(made.tail.unfinished, null);
  made.tail.append(frameOf([[0, "clean\n"]], { line: 40 }));
  assert.equal(textOf(made.line(40)), "clean");
  assert.equal(made.line(40).spans[0][1].foreground, null);
});

test("it tells that the cursor moved over lines", () => {
  assert.equal(tailOf([[0, "\x1b[31mone\r\x1b[K\n"]]).tail.moves, false);
  assert.equal(tailOf([[0, "one\ntwo\n\x1b[2Athree"]]).tail.moves, true);
});

test("a line without end costs what it shows, not what came", { timeout: 20_000 }, () => {
  const made = newTail();
  const piece = frameOf([[0, "x".repeat(200_000)]]);
  for (let at = 0; at < 250; at += 1) made.tail.append(piece);
  assert.deepEqual([textOf(made.tail.unfinished).length, made.tail.unfinished.cut], [20_480, 50_000_000]);
});
