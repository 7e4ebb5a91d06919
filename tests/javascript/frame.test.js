import assert from "node:assert/strict";
import { test } from "node:test";

import { MalformedFrame, decodeFrame } from "../../static/logviewer/js/frame.js";
import { frameOf, wireOf } from "./frames.js";

test("a frame's header and bytes are read as they were sent", () => {
  const sent = frameOf([[0, "héllo\n", 12], [1, "oops", 13]], { offset: 1234, line: 56 });
  assert.deepEqual(decodeFrame(wireOf(sent)), sent);
});

test("a frame without runs is a frame", () => {
  assert.equal(decodeFrame(wireOf(frameOf([]))).bytes.length, 0);
});

const good = frameOf([[0, "abc", 1]]);
const malformed = {
  "is shorter than its length field": new Uint8Array([0, 0]).buffer,
  "has a header longer than itself": new Uint8Array([0, 0, 1, 0, 123, 125]).buffer,
  "has a header that is not JSON": wireOf(good, "{offset:"),
  "has a header that is not an object": wireOf(good, "null"),
  "has no offset": wireOf(good, { line: 1, runs: good.runs }),
  "has a negative offset": wireOf(good, { ...good, bytes: undefined, offset: -1 }),
  "has a line before the first": wireOf(good, { ...good, bytes: undefined, line: 0 }),
  "has runs that are no list": wireOf(good, { offset: 0, line: 1, runs: {} }),
  "has a run that is no triple": wireOf(good, { offset: 0, line: 1, runs: [3] }),
  "has a run of negative length": wireOf(good, { offset: 0, line: 1, runs: [[0, -1, 0], [0, 4, 0]] }),
  "has runs that do not add up to its bytes": wireOf(good, { offset: 0, line: 1, runs: [[0, 2, 0]] }),
};

for (const [fault, buffer] of Object.entries(malformed)) {
  test(`a frame that ${fault} is refused`, () => {
    assert.throws(() => decodeFrame(buffer), MalformedFrame);
  });
}
