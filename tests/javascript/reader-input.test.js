import assert from "node:assert/strict";
import { test } from "node:test";

import { OwnScrolling } from "../../static/logviewer/js/own-scrolling.js";
import { ReaderInput } from "../../static/logviewer/js/reader-input.js";

globalThis.ResizeObserver = class {
  observe() {}

  disconnect() {}
};

/** A target of keys: `kinds` are the selectors that it is within. */
const within = (...kinds) => ({ closest: (selector) => kinds.find((kind) => selector.includes(kind)) ?? null });

/** A reader before a log; `open` are the selectors that find something in the document. */
function readerOf({ replay = true, pageScrolls = false } = {}) {
  const done = [];
  const open = [];
  const selection = { isCollapsed: true, removeAllRanges: () => done.push("unselected") };
  const window = Object.assign(new EventTarget(), { location: { hash: "" } });
  const document = Object.assign(new EventTarget(), {
    body: within("body"),
    defaultView: window,
    documentElement: { scrollHeight: pageScrolls ? 900 : 600, clientHeight: 600 },
    getSelection: () => selection,
    querySelector: (selector) => open.find((one) => selector.includes(one)) ?? null,
  });
  const viewport = Object.assign(new EventTarget(), {
    ownerDocument: document,
    inside: within(),
    contains: (node) => node === viewport.inside,
    focus: () => done.push("focus"),
  });
  const viewer = {
    element: { ownerDocument: document },
    view: { viewport, pane: { contains: () => true } },
    signal: new AbortController().signal,
    canFollow: true,
    following: false,
    wrap: false,
    mark: { first: 1, last: 1 },
    setFollow: () => done.push("follow"),
    setWrap: () => done.push("wrap"),
    setMark: (mark) => done.push(mark ?? "mark"),
  };
  const scroller = { isScaled: true, wrap: false, pagePx: 100, moveBy: (px) => done.push(px) };
  const scrolling = new OwnScrolling(viewport, scroller, () => {}, viewer.signal);
  const input = new ReaderInput(viewer, scroller, scrolling);
  input.addKeys(({ key }) => key === "F8" && done.push("F8") > 0);
  if (replay) input.replay();
  const press = (key, target = viewport.inside, modifiers = {}) => {
    const event = Object.assign(new Event("keydown", { cancelable: true }), { key, ...modifiers });
    Object.defineProperty(event, "target", { value: target });
    document.dispatchEvent(event);
    return event.defaultPrevented;
  };
  const select = (anchorNode, focusNode) => {
    Object.assign(selection, { isCollapsed: false, anchorNode, focusNode });
    document.dispatchEvent(new Event("selectionchange"));
    done.length = 0;
  };
  return { done, document, input, open, press, select, viewport };
}

test("keys belong to a dialog while it is open, and Escape to a menu", () => {
  const { done, open, press } = readerOf();
  open.push("dialog[open]");
  for (const key of ["f", "w", "F8", "Escape"]) assert.equal(press(key), false, key);
  open[0] = ":popover-open";
  assert.equal(press("Escape"), false);
  assert.deepEqual(done, []);
  assert.equal(press("w"), true);
  open.pop();
  assert.equal(press("Escape"), true);
  assert.deepEqual(done, ["wrap", "mark"]);
});

test("the space bar presses a button that has the focus, and else scrolls", () => {
  const { done, press } = readerOf();
  const target = within("button");
  const reader = readerOf();
  reader.viewport.inside = target;
  assert.equal(reader.press(" ", target), false);
  assert.equal(reader.press("PageDown", target), true);
  assert.equal(press(" "), true);
  assert.deepEqual([reader.done, done], [[100], [100]]);
});

test("keys that come before the features are kept, a few, and none that the browser had", () => {
  const { done, input, press } = readerOf({ replay: false });
  press("F8", undefined, { ctrlKey: true });
  for (let count = 0; count < 50; count += 1) press("F8");
  assert.deepEqual(done, []);
  input.replay();
  assert.equal(done.length, 20);
});

test("F8 works from within a field, letters are typed there", () => {
  const { done, press } = readerOf();
  const field = within("input");
  assert.equal(press("F8", field), true);
  assert.equal(press("w", field), false);
  assert.deepEqual(done, ["F8"]);
});

test("where nothing has the focus, keys that scroll are the log's, unless the page itself scrolls", () => {
  const { done, document, press } = readerOf();
  assert.equal(press("PageDown", document.body), true);
  assert.equal(press("q", document.body), false);
  assert.deepEqual(done, ["focus", 100]);
  const long = readerOf({ pageScrolls: true });
  assert.equal(long.press("PageDown", long.document.body), false);
  assert.deepEqual(long.done, []);
});

/** An element of a row that shows that line. */
function rowOf(line) {
  const row = { dataset: { line }, isConnected: true };
  row.closest = () => row;
  return row;
}

test("a selection whose rows show other lines now goes on as marked lines", () => {
  const { done, input, select } = readerOf();
  const [one, other] = [rowOf("9000"), rowOf("120")];
  select({ parentElement: one }, other);
  input.drawn();
  assert.deepEqual(done, []);
  one.dataset.line = "14000";
  input.drawn();
  input.drawn();
  assert.deepEqual(done, ["unselected", { first: 120, last: 9_000 }]);
  select({ parentElement: other }, other);
  other.isConnected = false;
  input.drawn();
  assert.deepEqual(done, ["unselected"]);
});
