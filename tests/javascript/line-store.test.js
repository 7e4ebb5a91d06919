import assert from "node:assert/strict";
import { test } from "node:test";

import { LineStore } from "../../static/logviewer/js/line-store.js";
import { bytesOf, frameOf } from "./frames.js";

const textOf = (line) => line.spans.map(([, , text]) => text).join("");

function linesOf(store) {
  const lines = [];
  for (let number = store.first; number <= store.last; number += 1) lines.push(textOf(store.line(number)));
  return lines;
}

function storeOf(runs, options) {
  const store = new LineStore(options);
  store.append(frameOf(runs));
  return store;
}

test("bytes become numbered lines", () => {
  const store = storeOf([[0, "one\ntwo\n\nfo", 5]]);
  assert.deepEqual(linesOf(store), ["one", "two", "", "fo"]);
  assert.deepEqual([store.first, store.last, store.next, store.count], [1, 4, 4, 4]);
  assert.equal(store.line(2).number, 2);
  assert.equal(store.line(2).ended, true);
  assert.equal(store.line(4).ended, false);
  assert.equal(store.line(5), undefined);
  assert.equal(store.line(0), undefined);
});

test("an empty store has no lines", () => {
  const store = new LineStore();
  assert.equal(store.count, 0);
  assert.equal(store.line(1), undefined);
});

test("a line's time is that of its first byte", () => {
  const store = storeOf([[0, "be", 10], [0, "gun\nnext", 20], [1, "\n", 30], [1, "\n", 40]]);
  assert.deepEqual([1, 2, 3].map((number) => store.line(number).time), [10, 20, 40]);
});

test("channels share a line, each with its own span", () => {
  const line = storeOf([[0, "out "], [1, "err"], [0, " out"], [0, " more\n"]]).line(1);
  assert.deepEqual(line.spans.map(([channel, , text]) => [channel, text]), [[0, "out "], [1, "err"], [0, " out more"]]);
});

test("a stream from the middle keeps the log's numbers", () => {
  const store = new LineStore();
  store.start(501);
  store.append(frameOf([[0, "a\nb\n"]], { offset: 9999, line: 501 }));
  assert.deepEqual([store.first, store.last, store.leftOut], [501, 502, 500]);
  assert.equal(textOf(store.line(502)), "b");
});

test("multi-byte characters survive every split position", () => {
  const text = "aé€😀\n🏳️‍🌈ß\n終わり";
  const bytes = bytesOf(text);
  for (let at = 0; at <= bytes.length; at += 1) {
    const store = storeOf([[0, bytes.slice(0, at)], [0, bytes.slice(at)]]);
    store.finish();
    assert.equal(linesOf(store).join("\n"), text, `split at ${at}`);
  }
});

test("multi-byte characters survive when every byte is a frame", () => {
  const text = "aé€😀\n終わり\n";
  const store = new LineStore();
  for (const byte of bytesOf(text)) store.append(frameOf([[0, [byte]]]));
  assert.deepEqual(linesOf(store), text.split("\n").slice(0, -1));
});

test("channels interleaved within characters, at every pair of positions, are decoded each by itself", () => {
  const out = bytesOf("é€\n");
  const err = bytesOf("😀ß\n");
  for (let one = 0; one <= out.length; one += 1) {
    for (let other = 0; other <= err.length; other += 1) {
      const store = storeOf([
        [0, out.slice(0, one)],
        [1, err.slice(0, other)],
        [0, out.slice(one)],
        [1, err.slice(other)],
      ]);
      store.finish();
      const spans = linesOf(store).join("\n");
      assert.ok(!spans.includes("\ufffd"), `split at ${one} and ${other}`);
      const of = (channel) => {
        let text = "";
        for (let number = 1; number <= store.last; number += 1) {
          for (const span of store.line(number).spans) if (span[0] === channel) text += span[2];
        }
        return text;
      };
      assert.deepEqual([of(0), of(1)], ["é€", "😀ß"], `split at ${one} and ${other}`);
      assert.equal(store.next, 3);
    }
  }
});

test("invalid UTF-8 becomes U+FFFD and takes no line feed with it", () => {
  const store = storeOf([[0, [0xff, 0x61, 0xc3, 0x0a, 0xe2, 0x82, 0x0a, 0xed, 0xa0, 0x80, 0x0a]]]);
  assert.deepEqual(linesOf(store), ["\ufffda\ufffd", "\ufffd", "\ufffd\ufffd\ufffd"]);
});

test("a character that never comes to its end shows at the finish", () => {
  const store = storeOf([[0, [0x61, 0xe2, 0x82]]]);
  assert.deepEqual(linesOf(store), ["a"]);
  store.finish();
  assert.deepEqual(linesOf(store), ["a\ufffd"]);
});

test("a byte order mark is not swallowed", () => {
  assert.deepEqual(linesOf(storeOf([[0, "\ufeffx\n"]])), ["\ufeffx"]);
});

test("at most so many lines are kept, the last ones, and it tells how many are left out", () => {
  const store = new LineStore({ maxLines: 10 });
  for (let number = 1; number <= 25; number += 1) store.append(frameOf([[0, `line ${number}\n`]]));
  assert.deepEqual([store.first, store.last, store.count, store.leftOut], [16, 25, 10, 15]);
  assert.equal(textOf(store.line(16)), "line 16");
  assert.equal(store.line(15), undefined);
  store.append(frameOf([[0, "unfinished"]]));
  assert.deepEqual([store.first, store.last, store.count], [17, 26, 10]);
});

test("one frame may bring more lines than are kept", () => {
  const store = storeOf([[0, "x\n".repeat(1000) + "end"]], { maxLines: 7 });
  assert.deepEqual([store.first, store.last], [995, 1001]);
  assert.equal(textOf(store.line(1001)), "end");
});

test("the kept text is bounded as a whole", () => {
  const store = new LineStore({ maxCharacters: 100_000 });
  for (let number = 0; number < 100; number += 1) store.append(frameOf([[0, `${"x".repeat(9_999)}\n`]]));
  assert.ok(store.count >= 8 && store.count <= 10, `${store.count} lines are kept`);
  assert.equal(store.last, 100);
});

test("a flood of empty lines is bounded by its cost too", () => {
  const store = storeOf([[0, "\n".repeat(50_000)]], { maxCharacters: 32_000 });
  assert.ok(store.count <= 1_000);
});

test("a line over 20 KB is cut and its full length told, however it arrives", () => {
  const store = new LineStore();
  for (let piece = 0; piece < 300; piece += 1) store.append(frameOf([[0, "0123456789".repeat(100)]]));
  assert.equal(store.line(1).cut, 300_000);
  store.append(frameOf([[0, "\nnext"]]));
  assert.equal(store.line(1).cut, 300_000);
  assert.equal(textOf(store.line(1)).length, 20_480);
  assert.deepEqual([textOf(store.line(2)), store.line(2).cut], ["next", null]);
});

test("a cut does not halve a character", () => {
  const store = storeOf([[0, `x${"😀".repeat(20_000)}\n`]]);
  assert.ok(textOf(store.line(1)).isWellFormed?.() ?? !/[\ud800-\udbff]$/.test(textOf(store.line(1))));
});

test("colours change beyond the cut, too", () => {
  const store = storeOf([[0, `\x1b[31m${"x".repeat(30_000)}\x1b[32m\nnext\n`]]);
  assert.equal(store.line(2).spans[0][1].foreground, 2);
});

test("a start drops everything: lines, colours, halves of characters", () => {
  const store = storeOf([[0, "\x1b[31mone\ntw"], [0, [0xc3]]]);
  const { generation } = store;
  store.start(40);
  store.append(frameOf([[0, "clean\n"]], { line: 40 }));
  assert.equal(store.generation, generation + 1);
  assert.deepEqual([store.first, linesOf(store)], [40, ["clean"]]);
  assert.equal(store.line(40).spans[0][1].foreground, null);
});

test("100,000 lines are kept whole", { timeout: 20_000 }, () => {
  const store = new LineStore();
  const block = frameOf([[0, `${"x".repeat(99)}\n`.repeat(1000)]]);
  for (let frame = 0; frame < 101; frame += 1) store.append(block);
  assert.deepEqual([store.count, store.leftOut, textOf(store.line(1001)).length], [100_000, 1_000, 99]);
});
