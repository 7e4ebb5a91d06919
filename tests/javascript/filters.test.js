import assert from "node:assert/strict";
import { test } from "node:test";

import { channelsParameter, isShown, onlyChannel, readChannels, toggleChannel } from "../../static/logviewer/js/filters.js";

test("a channel is hidden and shown again", () => {
  const without = toggleChannel(null, 1);
  assert.deepEqual(without, [0, 2]);
  assert.equal(isShown(without, 1), false);
  assert.equal(toggleChannel(without, 1), null);
});

test("who hides the last channel sees all again", () => {
  assert.deepEqual(toggleChannel([0, 1], 0), [1]);
  assert.equal(toggleChannel([1], 1), null);
});

test("only one channel, and back", () => {
  assert.deepEqual(onlyChannel(null, 1), [1]);
  assert.deepEqual(onlyChannel([0], 1), [1]);
  assert.equal(onlyChannel([1], 1), null);
});

test("the address names what is shown, and nothing where that is all", () => {
  for (const choice of [null, [0], [0, 2], [1, 2]]) assert.deepEqual(readChannels(channelsParameter(choice)), choice);
  assert.equal(channelsParameter([2, 0]), "stdout,header");
});

test("nonsense in the address shows all", () => {
  for (const text of [null, "", "x", "stdout,stderr,header", ",,,,,,,,,,stdout"]) assert.equal(readChannels(text), null, text);
  assert.deepEqual(readChannels("stderr,nonsense"), [1]);
});
