import assert from "node:assert/strict";
import { test } from "node:test";

import { FONT_SIZES_PX, PREFERENCES, Preferences, nextFontSize, readPreference, writePreference } from "../../static/logviewer/js/preferences.js";

/** Storage of a browser, empty or with what `content` says. */
function storageWith(t, content = {}) {
  const stored = new Map(Object.entries(content));
  const storage = { getItem: (key) => stored.get(key) ?? null, setItem: (key, value) => stored.set(key, value) };
  Object.defineProperty(globalThis, "localStorage", { value: storage, configurable: true });
  t.after(() => delete globalThis.localStorage);
  return stored;
}

test("what was chosen is kept for the next page", (t) => {
  storageWith(t);
  const changes = [];
  new Preferences((...change) => changes.push(change)).set("theme", "dark");
  assert.equal(new Preferences(() => {}).get("theme"), "dark");
  assert.deepEqual(changes, [["theme", "dark"]]);
});

test("stored nonsense is as if it were not there", (t) => {
  storageWith(t, {
    "buildlogs.wrap": '"yes"',
    "buildlogs.theme": "{",
    "buildlogs.fontSize": "900",
    "buildlogs.times": '"sometimes"',
  });
  const preferences = new Preferences(() => {});
  for (const [name, { byDefault }] of Object.entries(PREFERENCES)) assert.equal(preferences.get(name), byDefault, name);
});

test("without storage a choice holds for the page", (t) => {
  const denied = {
    get() {
      throw new Error("denied");
    },
    configurable: true,
  };
  Object.defineProperty(globalThis, "localStorage", denied);
  t.after(() => delete globalThis.localStorage);
  const preferences = new Preferences(() => {});
  preferences.set("wrap", true);
  assert.equal(preferences.get("wrap"), true);
  assert.equal(readPreference("wrap"), false);
});

test("what a preference cannot be is refused", (t) => {
  storageWith(t);
  assert.throws(() => new Preferences(() => {}).set("theme", "pink"), RangeError);
});

test("a choice in another tab is heard, nonsense there is not", (t) => {
  storageWith(t);
  const changes = [];
  const preferences = new Preferences((...change) => changes.push(change));
  preferences.heard({ key: "buildlogs.wrap", newValue: "true" });
  preferences.heard({ key: "buildlogs.wrap", newValue: "{" });
  preferences.heard({ key: "buildlogs.toString", newValue: "1" });
  preferences.heard({ key: "other", newValue: "1" });
  preferences.heard({ key: null, newValue: null });
  preferences.heard({ key: "buildlogs.wrap", newValue: null });
  assert.deepEqual(changes, [["wrap", true], ["wrap", false]]);
});

test("another tab is heard also where this page chose otherwise by itself", (t) => {
  storageWith(t);
  const changes = [];
  const preferences = new Preferences((...change) => changes.push(change));
  writePreference("wrap", true); // the viewer's own key
  preferences.heard({ key: "buildlogs.wrap", newValue: "false" });
  assert.deepEqual(changes, [["wrap", false]]);
});

test("font sizes end at both ends", () => {
  assert.equal(nextFontSize(12.5, 1), 13);
  assert.equal(nextFontSize(FONT_SIZES_PX[0], -1), FONT_SIZES_PX[0]);
  assert.equal(nextFontSize(FONT_SIZES_PX.at(-1), 1), FONT_SIZES_PX.at(-1));
});
