import assert from "node:assert/strict";
import { test } from "node:test";

import { selectedText } from "../../static/logviewer/js/selection.js";

/** A range over one node's text; a point is `[node, offset]`, and nodes stand in the order of `at`. */
class FakeRange {
  selectNodeContents(node) {
    Object.assign(this, { node, from: 0, to: node.text.length });
  }

  comparePoint(node, offset) {
    if (node !== this.node) return Math.sign(node.at - this.node.at);
    return offset < this.from ? -1 : offset > this.to ? 1 : 0;
  }

  setStart(node, offset) {
    this.from = offset;
  }

  setEnd(node, offset) {
    this.to = offset;
  }

  collapse() {
    this.from = this.to;
  }

  toString() {
    return this.node.text.slice(this.from, this.to);
  }
}

/** Rows of a number, a text and, where `aside` is given, what stands behind it. */
function rowsOf(...lines) {
  let at = 0;
  const node = (text) => ({ at: (at += 1), text });
  return lines.map(([text, aside]) => {
    const parts = { number: node(""), text: node(text), aside: aside && node(aside) };
    return {
      parts,
      lastChild: parts.aside ?? parts.text,
      querySelector: (selector) => (selector === ".log-text" ? parts.text : null),
      ownerDocument: { createRange: () => new FakeRange() },
    };
  });
}

function selecting([startContainer, startOffset], [endContainer, endOffset]) {
  const intersectsNode = ({ parts }) =>
    startContainer.at <= (parts.aside ?? parts.text).at && endContainer.at >= parts.number.at;
  return { getRangeAt: () => ({ startContainer, startOffset, endContainer, endOffset, intersectsNode }) };
}

test("lines are copied, not what stands behind them in their rows", () => {
  const rows = rowsOf(["first"], ["$ make", "42 s"], ["cut", "Show all"], ["last"]);
  const selection = selecting([rows[0].parts.text, 2], [rows[3].parts.text, 2]);
  assert.equal(selectedText(selection, rows), "rst\n$ make\ncut\nla");
});

test("what begins behind a text or ends before one has nothing of it", () => {
  const rows = rowsOf(["first", "Show all"], ["second"], ["third"]);
  const selection = selecting([rows[0].parts.aside, 1], [rows[2].parts.number, 0]);
  assert.equal(selectedText(selection, rows), "\nsecond\n");
});
