import assert from "node:assert/strict";
import { test } from "node:test";

import { MAX_SPACE_PX, ScrollSpace } from "../../static/logviewer/js/scroll-space.js";

const VIEW_PX = 800;

function spaceOf(rows) {
  const space = new ScrollSpace();
  space.set(rows * 20, VIEW_PX);
  return space;
}

test("up to 400,000 rows the browser scrolls: its position is the place", () => {
  const space = spaceOf(400_000);
  assert.deepEqual([space.isScaled, space.canvas, space.end], [false, 8_000_000, 7_999_200]);
  for (const place of [0, 1, 123_456.5, space.end]) {
    assert.deepEqual([space.topOf(place), space.placeOf(place)], [place, place]);
  }
});

test("above, no element is higher than browsers allow, and both ends are reached", () => {
  const space = spaceOf(10_000_000);
  assert.deepEqual([space.isScaled, space.canvas], [true, MAX_SPACE_PX]);
  assert.deepEqual([space.topOf(0), space.placeOf(0)], [0, 0]);
  assert.deepEqual([space.topOf(space.end), space.placeOf(space.topEnd)], [space.topEnd, space.end]);
  assert.equal(space.placeOf(space.topEnd - 0.6), space.end, "browsers round");
});

test("the position is in proportion, there and back", () => {
  const space = spaceOf(10_000_000);
  for (const share of [0.1, 0.5, 0.99]) {
    const place = share * space.end;
    assert.ok(Math.abs(space.topOf(place) - share * space.topEnd) < 1e-3);
    assert.ok(Math.abs(space.placeOf(space.topOf(place)) - place) < 1e-3);
  }
});

test("places beyond either end are the ends", () => {
  const space = spaceOf(100);
  assert.deepEqual([space.clamp(-5), space.clamp(1e9), spaceOf(3).end], [0, 1_200, 0]);
});
