import assert from "node:assert/strict";
import { test } from "node:test";

import { ChannelRefresh, IDLE_REFRESH_MS, REFRESH_MS } from "../../static/logviewer/js/channel-refresh.js";

test("what grew is asked for soon, what did not now and then", () => {
  const timers = {
    pending: null,
    setTimeout: (act, ms) => (timers.pending = { act, ms }),
    clearTimeout: () => (timers.pending = null),
  };
  let asked = 0;
  const refresh = new ChannelRefresh(() => (asked += 1), timers);
  const fire = () => {
    const { act, ms } = timers.pending;
    timers.pending = null;
    act();
    return ms;
  };
  refresh.soon(100);
  refresh.soon(200);
  assert.equal(fire(), REFRESH_MS);
  refresh.soon(200); // the answer is drawn
  assert.equal(timers.pending.ms, IDLE_REFRESH_MS);
  refresh.soon(300); // and then lines come
  refresh.soon(300);
  assert.equal(fire(), REFRESH_MS);
  refresh.soon(300);
  assert.equal(fire(), IDLE_REFRESH_MS);
  assert.equal(asked, 3);
  refresh.soon(300);
  refresh.close();
  assert.equal(timers.pending, null);
});
