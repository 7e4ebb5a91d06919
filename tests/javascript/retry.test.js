import assert from "node:assert/strict";
import test from "node:test";

import { RetryDelays, retryDelayMs } from "../../static/logviewer/js/retry.js";

const DELAYS = { first: 250, longest: 30_000 };

test("the wait doubles up to the longest and is spread over its upper half", () => {
  assert.equal(retryDelayMs(0, { ...DELAYS, random: () => 0 }), 125);
  assert.equal(retryDelayMs(3, { ...DELAYS, random: () => 1 }), 2000);
  assert.equal(retryDelayMs(60, { ...DELAYS, random: () => 1 }), 30_000);
  assert.equal(retryDelayMs(60, { ...DELAYS, random: () => 0 }), 15_000);
});

test("what is tried again waits once at a time, longer each time, and as at first after a success", () => {
  const waits = [];
  let due = null;
  const setTimeout = (act, ms) => {
    waits.push(ms);
    due = act;
    return 1;
  };
  let acted = 0;
  const delays = new RetryDelays(() => (acted += 1), { setTimeout, clearTimeout() {}, random: () => 1 }, 100, 300);
  for (const _ of [1, 2, 3]) {
    delays.wait();
    delays.wait();
    assert.equal(delays.waiting, true);
    due();
  }
  delays.reset();
  delays.wait();
  assert.deepEqual([waits, acted], [[100, 200, 300, 100], 3]);
});
