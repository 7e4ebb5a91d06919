import assert from "node:assert/strict";
import { test } from "node:test";

import { visible, visiblePieces } from "../../static/logviewer/js/visible-text.js";

test("control characters become pictures", () => {
  assert.equal(visible("a\x00b\x07c\x1bd\x7f"), "a␀b␇c␛d␡");
});

test("every control character but the tab and the line feed becomes a picture", () => {
  for (let code = 0; code < 32; code += 1) {
    const shown = visible(String.fromCharCode(code));
    const expected = code === 9 || code === 10 ? String.fromCharCode(code) : String.fromCharCode(0x2400 + code);
    assert.equal(shown, expected, `U+${code.toString(16)}`);
  }
});

test("characters that reorder or hide are named", () => {
  assert.equal(visible("x\u202ey\u2066z\u2069\u200b\ufeff\u0085"), "x⟨RLO⟩y⟨LRI⟩z⟨PDI⟩⟨ZWSP⟩⟨BOM⟩⟨85⟩");
});

test("no bidirectional control is left, embeddings, overrides, isolates and marks", () => {
  const controls = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069";
  assert.doesNotMatch(visible(controls), /\p{Bidi_Control}/u);
});

test("joined emoji stay joined", () => {
  assert.equal(visible("👩‍👩‍👧"), "👩‍👩‍👧");
});

test("names are pieces of their own", () => {
  assert.deepEqual(visiblePieces("a\u202eb\x00", 10), [["a", false], ["⟨RLO⟩", true], ["b␀", false]]);
});

test("a log that writes the name itself gets no box", () => {
  assert.deepEqual(visiblePieces("⟨RLO⟩", 10), [["⟨RLO⟩", false]]);
});

test("pieces are bounded, and the rest is still visible", () => {
  const pieces = visiblePieces("\u202e".repeat(1000), 10);
  assert.ok(pieces.length <= 10);
  assert.equal(pieces.map(([text]) => text).join(""), "⟨RLO⟩".repeat(1000));
});
