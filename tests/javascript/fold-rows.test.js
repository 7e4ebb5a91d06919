import assert from "node:assert/strict";
import { test } from "node:test";

import { FoldRows } from "../../static/logviewer/js/fold-rows.js";

const FOLD = { start: 3, end: 9, name: "Compile", level: 1, seconds: 2 };

test("rows are set only where some are, or were, folded away", () => {
  globalThis.location = { href: "https://logs.example/logs/12" };
  globalThis.history = { state: null, replaceState: () => {} };
  const set = [];
  const viewer = {
    element: new EventTarget(),
    signal: new AbortController().signal,
    store: { channels: null },
    mark: null,
    addDecorator: () => {},
    redecorate: () => {},
    setRows: (rows) => set.push(rows !== null),
  };
  const marks = Object.assign(new EventTarget(), { folds: [FOLD] });
  const rows = new FoldRows(viewer, marks, () => {});
  for (let look = 0; look < 3; look += 1) marks.dispatchEvent(new Event("change"));
  assert.deepEqual(set, []);
  rows.toggleAll();
  rows.toggleAll();
  marks.dispatchEvent(new Event("change"));
  assert.deepEqual(set, [true, false]);
});
