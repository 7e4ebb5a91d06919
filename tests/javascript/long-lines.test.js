import assert from "node:assert/strict";
import { test } from "node:test";

import { LongLine, PIECE_CHARACTERS } from "../../static/logviewer/js/long-lines.js";
import { bytesOf } from "./frames.js";

/** A server that sends `chunks`; `read` counts how many were taken. */
function serverOf(...chunks) {
  const seen = { read: 0, address: null };
  const body = new ReadableStream(
    {
      pull(controller) {
        if (seen.read === chunks.length) return controller.close();
        controller.enqueue(chunks[seen.read]);
        seen.read += 1;
        return undefined;
      },
    },
    { highWaterMark: 0 },
  );
  const fetch = async (address) => {
    seen.address = address;
    return { ok: true, body };
  };
  return { seen, fetch };
}

test("a line comes in pieces, and no more of it is read than is shown", async () => {
  const chunk = new Uint8Array(PIECE_CHARACTERS).fill(0x78);
  const { seen, fetch } = serverOf(...Array(700).fill(chunk));
  const line = new LongLine("/raw", 7, fetch);
  const { text, last } = await line.next();
  assert.deepEqual([text.length, last, seen.address], [PIECE_CHARACTERS, false, "/raw?from-line=7&to-line=7"]);
  await line.next();
  assert.ok(seen.read <= 3, `${seen.read} chunks`);
  line.close();
});

test("pieces join to the line, whatever the chunks and characters, without the line feed", async () => {
  const text = "a😀é".repeat(40_000);
  const bytes = Uint8Array.from(bytesOf(`${text}\n`));
  const { fetch } = serverOf(...[0, 1, 2].map((part) => bytes.slice(part * 100_001, part < 2 ? (part + 1) * 100_001 : undefined)));
  const line = new LongLine("/raw", 1, fetch);
  let joined = "";
  for (let piece = { last: false }; !piece.last; joined += piece.text) {
    piece = await line.next();
    assert.ok(piece.text.isWellFormed?.() ?? true);
  }
  assert.equal(joined, text);
});

test("an answer that is none is an error", async () => {
  const line = new LongLine("/raw", 1, async () => ({ ok: false, status: 503 }));
  await assert.rejects(line.next(), /503/);
});

test("who closes before the answer came does not have it sent", async () => {
  const fetch = (_, { signal }) =>
    new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  const line = new LongLine("/raw", 1, fetch);
  const next = assert.rejects(line.next(), { name: "AbortError" });
  line.close();
  await next;
  assert.equal(line.closed, true);
});
