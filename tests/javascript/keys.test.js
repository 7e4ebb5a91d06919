import assert from "node:assert/strict";
import { test } from "node:test";

import { KEYS, actionOf, capsOf } from "../../static/logviewer/js/keys.js";

const press = (key, modifiers = {}) =>
  actionOf({ key, ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, ...modifiers });

test("keys ask for actions", () => {
  assert.equal(press("/"), "search");
  assert.equal(press("f", { ctrlKey: true }), "search");
  assert.equal(press("f", { metaKey: true }), "search");
  assert.equal(press("n"), "nextHit");
  assert.equal(press("N", { shiftKey: true }), "previousHit");
  assert.equal(press("F8"), "nextError");
  assert.equal(press("F8", { shiftKey: true }), "previousError");
  assert.equal(press("?", { shiftKey: true }), "help");
  assert.equal(press("+", { shiftKey: true }), "fontSize");
});

test("the shift lock does not turn a key into another", () => {
  assert.equal(press("N"), "nextHit");
  assert.equal(press("F"), "follow");
  assert.equal(press("n", { shiftKey: true }), "previousHit");
});

test("combinations that are the browser's stay the browser's", () => {
  for (const key of ["n", "w", "t", "c", "s", "+", "-", "F8"]) assert.equal(press(key, { ctrlKey: true }), null, key);
  assert.equal(press("f", { altKey: true }), null);
  assert.equal(press("ArrowDown"), null);
  assert.equal(press("q"), null);
});

test("no key has two meanings, and each is explained", () => {
  const entries = KEYS.flatMap(({ keys }) => keys);
  const names = entries.flatMap(({ keys }) => keys);
  assert.equal(new Set(names).size, names.length);
  assert.ok(entries.every(({ says }) => says.length > 3));
});

test("keys are shown as keyboards print them", () => {
  assert.deepEqual(["Shift+F8", "Ctrl+f", "Escape", "+", "ArrowUp", "?"].map(capsOf), [
    ["Shift", "F8"], ["Ctrl", "F"], ["Esc"], ["+"], ["↑"], ["?"],
  ]);
});
