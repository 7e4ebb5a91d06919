import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";

import { LiveTail } from "../../static/logviewer/js/live-tail.js";
import { MAX_ROW_PIECES, Rows, cutSpans, lineText, timeTitle } from "../../static/logviewer/js/rows.js";
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

  get firstChild() {
    return this.children[0] ?? null;
  }

  get lastChild() {
    return this.children.at(-1) ?? null;
  }

  get nodeType() {
    return this.name === "#text" ? 3 : 1;
  }

  written = 0;

  get data() {
    return this.text;
  }

  set data(text) {
    this.written += 1;
    this.text = text;
  }

  set textContent(text) {
    this.children = text === "" ? [] : [new FakeNode("#text", text)];
  }

  querySelector(selector) {
    return this.children.find((child) => `.${child.className}` === selector);
  }

  removeAttribute(name) {
    delete this[name];
  }

  get textContent() {
    return this.text + this.children.map((child) => child.textContent).join("");
  }

  append(...nodes) {
    this.children.push(...nodes);
  }

  replaceChildren(...nodes) {
    this.children = nodes;
  }
}

const fakeDocument = {
  createElement: (name) => new FakeNode(name),
  createTextNode: (text) => new FakeNode("#text", text),
};

const rows = new Rows(fakeDocument);

function lineOf(...runs) {
  const ended = [];
  const tail = new LiveTail((line) => ended.push(line));
  tail.append(frameOf(runs));
  return ended[0] ?? tail.unfinished;
}

function rowOf(...runs) {
  const row = rows.create();
  rows.fill(row, lineOf(...runs));
  return row;
}

test("a row has a number that links to it, outside of its text", () => {
  const row = rowOf([0, "hello\n"]);
  const [number, text] = row.children;
  assert.equal(number.href, "#L1");
  assert.equal(String(number.dataset.number), "1");
  assert.equal(number.textContent, "");
  assert.equal(number.ariaLabel, "Line 1");
  assert.equal(text.textContent, "hello");
  assert.equal(String(row.dataset.line), "1");
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
  assert.match(text.dataset.cut, /30,000 bytes/);
  assert.equal(text.textContent.length, 20_480);
});

test("a row is filled anew with another line, and nothing of the one before is left", () => {
  const row = rowOf([1, `\x1b[31m${"x".repeat(30_000)}`]);
  row.children.push(new FakeNode("a decorator's own"));
  rows.fill(row, lineOf([0, "plain\n"]));
  assert.deepEqual([row.className, row.children[1].textContent, row.children.length], ["log-row", "plain", 3]);
  assert.equal(row.children[1].dataset.cut, undefined);
  rows.fill(row, lineOf([0, "plain again\n"]));
  assert.equal(row.children[1].textContent, "plain again");
});

test("the same text is not written again: a selection's ends would go to its beginning", () => {
  const row = rowOf([0, "plain\n"]);
  const [node] = row.children[1].children;
  rows.fill(row, lineOf([0, "plain\n"]));
  assert.deepEqual([node.written, row.children[1].textContent], [0, "plain"]);
  row.className += " log-row-marked";
  rows.dress(row, lineOf([0, "plain\n"]));
  assert.deepEqual([row.className, row.children[1].children[0] === node], ["log-row", true]);
});

test("a row whose line is not here shows its number, where it is known", () => {
  const row = rowOf([0, "text\n"]);
  rows.clear(row, 7);
  assert.deepEqual([row.className, row.lastChild.textContent, row.dataset.line], ["log-row log-row-pending", "", 7]);
  rows.clear(row, null);
  assert.deepEqual([row.dataset.line, row.firstChild.href], ["", undefined]);
});

test("segments cut spans, and look as they say", () => {
  const line = lineOf([0, "see \x1b[31mhttps\x1b[0m://x.org now"]);
  const href = "https://x.org/";
  const row = rows.create();
  rows.fill(row, line, [{ from: 4, to: 17, className: "log-link", href }]);
  const shown = row.lastChild.children.map(({ name, className, textContent }) => [name, className, textContent]);
  assert.deepEqual(shown, [
    ["#text", "", "see "],
    ["a", "log-ink-1 log-link", "https"],
    ["a", "log-link", "://x.org"],
    ["#text", "", " now"],
  ]);
  assert.equal(row.lastChild.children[1].rel, "noopener nofollow");
  assert.equal(lineText(line), "see https://x.org now");
});

test("segments that touch, and that reach beyond the text, cut it where they should", () => {
  const cut = cutSpans([[0, null, "abcdef"]], [{ from: 0, to: 2 }, { from: 2, to: 3 }, { from: 5, to: 9 }]);
  assert.deepEqual(cut.map(([, , text, segment]) => [text, segment?.from ?? null]), [
    ["ab", 0],
    ["c", 2],
    ["de", null],
    ["f", 5],
  ]);
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
