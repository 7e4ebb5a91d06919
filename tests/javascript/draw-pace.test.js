import assert from "node:assert/strict";
import { test } from "node:test";

import { DrawPace, FLOOD_DRAW_MS, LIVE_DRAW_MS } from "../../static/logviewer/js/draw-pace.js";

/** A window whose frames and timers come when the test says so. */
function paceOf() {
  const made = { now: 1_000, drawn: 0, frame: null, timer: null };
  const window = {
    performance: { now: () => made.now },
    requestAnimationFrame: (act) => ((made.frame = act), 1),
    cancelAnimationFrame: () => (made.frame = null),
    setTimeout: (act, ms) => ((made.timer = { act, ms }), 2),
    clearTimeout: () => (made.timer = null),
  };
  made.pace = new DrawPace(() => (made.drawn += 1), window);
  made.step = () => {
    const act = made.frame;
    made.frame = null;
    act();
  };
  return made;
}

test("whoever asks, it is drawn once a frame", () => {
  const made = paceOf();
  for (let turn = 0; turn < 3; turn += 1) made.pace.soon();
  made.step();
  assert.deepEqual([made.drawn, made.frame], [1, null]);
});

test("the first line that comes is drawn at once, those right after it together a little later", () => {
  const made = paceOf();
  made.pace.live();
  made.step();
  made.now += 10;
  for (let turn = 0; turn < 5; turn += 1) made.pace.live();
  assert.deepEqual([made.frame, made.timer.ms], [null, LIVE_DRAW_MS - 10]);
  made.timer.act();
  made.step();
  assert.equal(made.drawn, 2);
});

test("a flood is drawn less often, and what the reader does at once", () => {
  const made = paceOf();
  made.pace.soon();
  made.step();
  made.pace.drew(5_000, 40);
  made.pace.live();
  assert.equal(made.timer.ms, FLOOD_DRAW_MS);
  made.pace.soon();
  made.step();
  assert.deepEqual([made.drawn, made.timer], [2, null]);
  made.pace.drew(5_000, 40);
  made.pace.drew(5_010, 40);
  made.pace.live();
  assert.equal(made.timer.ms, LIVE_DRAW_MS);
});

test("a closed one draws nothing", () => {
  const made = paceOf();
  made.pace.soon();
  made.pace.close();
  assert.equal(made.frame, null);
});
