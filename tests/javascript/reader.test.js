import assert from "node:assert/strict";
import { test } from "node:test";

import { Follow } from "../../static/logviewer/js/follow.js";
import { QuietStatus, viewerState, wordOf } from "../../static/logviewer/js/log-status.js";
import { formatSize } from "../../static/logviewer/js/log-view.js";
import { clickMark, extendMark, formatMark, isMarked, parseMark } from "../../static/logviewer/js/marks.js";
import { readPreference, writePreference } from "../../static/logviewer/js/preferences.js";

test("addresses of lines and ranges are read, in either direction", () => {
  assert.deepEqual(parseMark("#L120"), { first: 120, last: 120 });
  assert.deepEqual(parseMark("#L120-L140"), { first: 120, last: 140 });
  assert.deepEqual(parseMark("#L140-L120"), { first: 120, last: 140 });
  assert.deepEqual(parseMark("#L5-9"), { first: 5, last: 9 });
});

test("other addresses are no marks", () => {
  for (const hash of ["", "#", "#L", "#L0", "#L-3", "#L1x", "#line1", "#L1-L0", `#L${"9".repeat(40)}`]) {
    assert.equal(parseMark(hash), null, hash);
  }
});

test("a mark's address is read back as the same mark", () => {
  for (const mark of [{ first: 1, last: 1 }, { first: 3, last: 70 }]) {
    assert.deepEqual(parseMark(formatMark(mark)), mark);
  }
  assert.equal(formatMark(null), "");
});

test("a click marks a line, a shift-click a range from the line clicked before", () => {
  const one = clickMark(null, 10, false, 1);
  assert.deepEqual(one, { first: 10, last: 10 });
  const range = clickMark(one, 15, true, 10);
  assert.deepEqual(range, { first: 10, last: 15 });
  assert.deepEqual(clickMark(range, 5, true, 10), { first: 5, last: 10 });
  assert.deepEqual(clickMark(null, 5, true, 1), { first: 5, last: 5 });
});

test("a key extends a mark to a line, and within the mark by one line, to the last one", () => {
  assert.deepEqual(extendMark(null, 5, 5, 9), { first: 5, last: 5 });
  assert.deepEqual(extendMark({ first: 5, last: 5 }, 8, 5, 9), { first: 5, last: 8 });
  assert.deepEqual(extendMark({ first: 5, last: 8 }, 2, 8, 9), { first: 2, last: 8 });
  assert.deepEqual(extendMark({ first: 5, last: 8 }, 6, 5, 9), { first: 5, last: 9 });
  assert.deepEqual(extendMark({ first: 5, last: 9 }, 6, 5, 9), { first: 5, last: 9 });
});

test("lines of a range are marked, others are not", () => {
  const mark = { first: 3, last: 5 };
  assert.deepEqual([2, 3, 5, 6].map((number) => isMarked(mark, number)), [false, true, true, false]);
  assert.equal(isMarked(null, 3), false);
});

test("new lines are counted from where following stopped", () => {
  const follow = new Follow(true);
  assert.equal(follow.newLines(100), 0);
  follow.stop(100);
  follow.stop(130);
  assert.equal(follow.newLines(142), 42);
  follow.start();
  assert.equal(follow.newLines(142), 0);
});

test("lines that were there before the log was live are not new", () => {
  const follow = new Follow(false);
  follow.saw(500);
  assert.equal(follow.newLines(500), 0);
  assert.equal(follow.newLines(503), 3);
});

test("the viewer's state says what a reader wants to know", () => {
  const page = { online: true, started: true };
  assert.equal(viewerState("live", "open", page), "live");
  assert.equal(viewerState("live", "abandoned", page), "silent");
  assert.equal(viewerState("waiting", "open", page), "reconnecting");
  assert.equal(viewerState("connecting", "open", page), "reconnecting");
  assert.equal(viewerState("connecting", "open", { online: true, started: false }), "connecting");
  assert.equal(viewerState("waiting", "open", { online: false, started: true }), "offline");
  assert.equal(viewerState("finished", "finished", page), "finished");
});

test("each state has a word", () => {
  for (const state of ["connecting", "loading", "live", "silent", "reconnecting", "offline", "finished", "stopped"]) {
    assert.ok(wordOf(state), state);
  }
});

/** A status whose one timer fires when the test says so. */
function quietStatus() {
  const shown = [];
  const timers = {
    callback: null,
    setTimeout(callback) {
      timers.callback = callback;
      return 1;
    },
    clearTimeout() {
      timers.callback = null;
    },
  };
  return { shown, timers, status: new QuietStatus((state) => shown.push(state), timers) };
}

test("a connection that is back within a second is never said to be lost", () => {
  const { shown, timers, status } = quietStatus();
  for (const state of ["connecting", "loading", "live", "reconnecting", "live"]) status.set(state);
  assert.deepEqual(shown, ["connecting", "loading", "live"]);
  assert.equal(timers.callback, null);
});

test("a trouble that lasts is told, as it is by then", () => {
  const { shown, timers, status } = quietStatus();
  for (const state of ["live", "reconnecting", "offline"]) status.set(state);
  timers.callback();
  status.set("reconnecting");
  status.set("live");
  assert.deepEqual(shown, ["live", "offline", "reconnecting", "live"]);
});

test("a closed status tells nothing more", () => {
  const { timers, status } = quietStatus();
  status.set("reconnecting");
  status.close();
  assert.equal(timers.callback, null);
});

test("sizes are told in units that fit", () => {
  assert.deepEqual([0, 812, 1024, 1_500_000, 250 * 1024 ** 2, 3 * 1024 ** 4].map(formatSize), [
    "0 bytes", "812 bytes", "1.0 KiB", "1.4 MiB", "250 MiB", "3.0 TiB",
  ]);
});

test("where storage is denied, preferences fall back and nothing breaks", (t) => {
  const denied = {
    get() {
      throw new Error("denied");
    },
    configurable: true,
  };
  Object.defineProperty(globalThis, "localStorage", denied);
  t.after(() => delete globalThis.localStorage);
  assert.equal(readPreference("wrap", false), false);
  writePreference("wrap", true);
});

test("preferences are kept, and nonsense in storage is not believed", (t) => {
  const stored = new Map();
  const storage = { getItem: (key) => stored.get(key) ?? null, setItem: (key, value) => stored.set(key, value) };
  Object.defineProperty(globalThis, "localStorage", { value: storage, configurable: true });
  t.after(() => delete globalThis.localStorage);
  writePreference("wrap", true);
  assert.equal(readPreference("wrap", false), true);
  stored.set("buildlogs.wrap", "{");
  assert.equal(readPreference("wrap", false), false);
});
