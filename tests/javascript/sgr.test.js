import assert from "node:assert/strict";
import { test } from "node:test";

import { PLAIN, applySgr, samePen } from "../../static/logviewer/js/sgr.js";

const after = (...sequences) => sequences.reduce(applySgr, PLAIN);

const changes = [
  ["", {}],
  ["0", {}],
  ["31", { foreground: 1 }],
  ["97", { foreground: 15 }],
  ["42", { background: 2 }],
  ["100", { background: 8 }],
  ["1;3;4;9;7;2", { bold: true, italic: true, underline: true, strike: true, inverse: true, dim: true }],
  ["01;031", { bold: true, foreground: 1 }],
  ["31;", {}],
  [";31", { foreground: 1 }],
  ["38;5;196", { foreground: 196 }],
  ["48;5;7;1", { background: 7, bold: true }],
  ["38:5:196", { foreground: 196 }],
  ["38;2;255;0;127", { foreground: "#ff007f" }],
  ["48;2;1;2;3;4", { background: "#010203", underline: true }],
  ["38:2:255:0:127", { foreground: "#ff007f" }],
  ["38:2::255:0:127", { foreground: "#ff007f" }],
  ["38:2:1:255:0:127:0:1;1", { foreground: "#ff007f", bold: true }],
  ["38;2;;;9", { foreground: "#000009" }],
  ["4:3", { underline: true }],
  ["4;4:0", {}],
  ["21", { underline: true }],
  ["58;5;1", {}],
  ["58;2;1;3;4;3", { italic: true }],
  ["58:2::1:3:4", {}],
  ["38;5", { foreground: 0 }],
  ["38", {}],
  ["38;5;256", {}],
  ["38;2;256;0;0;1", { bold: true }],
  ["38;2;1;2", {}],
  ["38:9:1", {}],
  ["999;31", { foreground: 1 }],
];

for (const [parameters, change] of changes) {
  test(`ESC [ ${parameters} m gives ${JSON.stringify(change)}`, () => {
    assert.deepEqual(after(parameters), { ...PLAIN, ...change });
  });
}

const resets = [
  ["1;2", "22"],
  ["3", "23"],
  ["4", "24"],
  ["7", "27"],
  ["9", "29"],
  ["31", "39"],
  ["48;5;9", "49"],
  ["1;2;3;4;7;9;31;42", "0"],
  ["1;31", ""],
];

for (const [set, reset] of resets) {
  test(`ESC [ ${reset} m takes back ESC [ ${set} m`, () => {
    assert.deepEqual(after(set, reset), PLAIN);
  });
}

test("what is not mentioned stays", () => {
  assert.deepEqual(after("1;31", "44", "22"), { ...PLAIN, foreground: 1, background: 4 });
});

test("the plain pen is never changed itself", () => {
  after("1;2;3;4;7;9;31;42");
  assert.equal(PLAIN.bold, false);
  assert.ok(Object.isFrozen(PLAIN));
});

test("pens are the same by what they do", () => {
  assert.ok(samePen(after("1;31"), after("31", "1")));
  assert.ok(!samePen(after("31"), after("91")));
});
