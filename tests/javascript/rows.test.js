import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";

import { LineStore } from "../../static/logviewer/js/line-store.js";
import { MAX_ROW_PIECES, Rows, timeTitle } from "../../static/logviewer/js/rows.js";
import { frameOf } from "./frames.js";

/** As much of the DOM as a row needs. It has no way to take markup, as the page's policy has none. */
class FakeNode {
  children = [];
  className = "";
  dataset = {};
  colours = {};
  style = { setProperty: (name, value) => (this.colours[name] = value) };

  constructor(name, text = "") {
    this.name = name;
    this.text = text;
  }

  get lastChild() {
    return this.children.at(-1);
  }

  get textContent() {
    return this.text + this.children.map((child) => child.textContent).join("");
  }

  append(...nodes) {
    this.children.push(...nodes);
  }

  replaceChild(node, old) {
    this.children[this.children.indexOf(old)] = node;
  }
}

const fakeDocument = {
  createElement: (name) => new FakeNode(name),
  createTextNode: (text) => new FakeNode("#text", text),
};

function rowOf(...runs) {
  const store = new LineStore();
  store.append(frameOf(runs));
  return new Rows(fakeDocument, Number.NaN).create(store.line(1));
}

test("a row has a number that links to it, outside of its text", () => {
  const row = rowOf([0, "hello\n"]);
  const [number, text] = row.children;
  assert.equal(number.href, "#L1");
  assert.equal(number.dataset.number, "1");
  assert.equal(number.textContent, "");
  assert.equal(text.textContent, "hello");
  assert.equal(row.dataset.line, "1");
});

test("markup in a log is text", () => {
  const attack = `<img src=x onerror=alert(1)><script>alert(2)</script>&lt;`;
  const text = rowOf([0, attack]).lastChild;
  assert.equal(text.textContent, attack);
  assert.deepEqual(text.children.map((child) => child.name), ["#text"]);
});

test("rows of stderr and header say so; lines that channels share say it in their parts", () => {
  assert.equal(rowOf([1, "x\n"]).className, "log-row log-row-stderr");
  assert.equal(rowOf([2, "x\n"]).className, "log-row log-row-header");
  assert.equal(rowOf([0, "x\n"]).className, "log-row");
  const shared = rowOf([0, "out"], [1, "err"]);
  assert.equal(shared.className, "log-row");
  assert.deepEqual(shared.lastChild.children.map((child) => child.className), ["", "log-stderr"]);
});

test("named colours are classes, others are set on the element", () => {
  const [named, direct, paper] = rowOf([0, "\x1b[31ma\x1b[38;2;1;2;3mb\x1b[48;5;200mc"]).lastChild.children;
  assert.deepEqual([named.className, named.colours], ["log-ink-1", {}]);
  assert.match(direct.colours.color, /^light-dark\(#[0-9a-f]{6}, #[0-9a-f]{6}\)$/);
  assert.equal(paper.colours["background-color"], "#ff00d7");
});

test("names of hidden characters are boxed", () => {
  const boxed = rowOf([0, "a\u202eb"]).lastChild.children[1];
  assert.deepEqual([boxed.className, boxed.textContent], ["log-boxed", "⟨RLO⟩"]);
});

test("a cut line says how long it is, outside of its text", () => {
  const text = rowOf([0, "x".repeat(30_000)]).lastChild;
  assert.match(text.dataset.cut, /30,000 characters/);
  assert.equal(text.textContent.length, 20_480);
});

test("an unfinished line is filled anew", () => {
  const store = new LineStore();
  const rows = new Rows(fakeDocument, Number.NaN);
  store.append(frameOf([[0, "10%"]]));
  const row = rows.create(store.line(1));
  store.append(frameOf([[0, "\r100%\n"]]));
  rows.fill(row, store.line(1));
  assert.equal(row.lastChild.textContent, "100%");
  assert.equal(row.children.length, 2);
});

const attacks = {
  "colour changes": Array.from({ length: 100_000 }, (_, at) => `\x1b[3${at % 8}mx`).join(""),
  "bidirectional controls": "\u202e".repeat(100_000),
  "both": Array.from({ length: 50_000 }, (_, at) => `\x1b[3${at % 8}m\u202ex`).join(""),
};

for (const [what, text] of Object.entries(attacks)) {
  test(`a line of 100,000 ${what} builds a bounded number of elements`, { timeout: 20_000 }, () => {
    const row = rowOf([0, text]);
    assert.ok(row.lastChild.children.length <= 2 * MAX_ROW_PIECES, `${row.lastChild.children.length} elements`);
  });
}

test("times are told by the clock and since the start", () => {
  assert.match(timeTitle(1_700_000_012_300, 1_700_000_000_000), /, 12\.3 s after the start$/);
  assert.doesNotMatch(timeTitle(1_700_000_012_300, Number.NaN), /start/);
  assert.equal(timeTitle(null, 0), "");
});

test("no module takes markup or code from text", () => {
  const forbidden = [
    /innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment/,
    /\beval\(|new Function|cssText|setAttribute\("style"/,
  ];
  const folder = new URL("../../static/logviewer/js/", import.meta.url);
  for (const name of readdirSync(folder).filter((file) => file.endsWith(".js"))) {
    const source = readFileSync(new URL(name, folder), "utf8");
    for (const pattern of forbidden) assert.doesNotMatch(source, pattern, name);
  }
});
