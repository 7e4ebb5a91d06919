import assert from "node:assert/strict";
import { test } from "node:test";

import { RowPane } from "../../static/logviewer/js/row-pane.js";

/** Elements in a list, which count how often one is put somewhere. */
class FakePane {
  list = [];
  moves = 0;

  get firstChild() {
    return this.list[0] ?? null;
  }

  insertBefore(element, next) {
    this.moves += 1;
    this.list = this.list.filter((one) => one !== element);
    this.list.splice(next === null ? this.list.length : this.list.indexOf(next), 0, element);
    element.pane = this;
  }
}

class FakeRow {
  static made = 0;
  shows = null;

  constructor() {
    FakeRow.made += 1;
  }

  get nextSibling() {
    return this.pane.list[this.pane.list.indexOf(this) + 1] ?? null;
  }

  remove() {
    this.pane.list = this.pane.list.filter((one) => one !== this);
  }
}

/** A pane over lines of which `here` says whether they are; `fills` tells which were filled in. */
function paneOf(here = () => true, decorators = []) {
  const pane = new FakePane();
  const fills = [];
  const dressed = [];
  const lines = new Map();
  const rows = {
    create: () => new FakeRow(),
    fill: (row, line, segments) => {
      row.shows = line.number;
      row.segments = segments;
      fills.push(line.number);
    },
    dress: (row, line) => dressed.push(line.number),
    clear: (row, number) => (row.shows = -number),
  };
  const lineAt = (row) => {
    if (!lines.has(row)) lines.set(row, { number: row + 1, columns: row });
    return { index: row + 1, number: row + 1, line: here(row) ? lines.get(row) : undefined };
  };
  FakeRow.made = 0;
  const made = new RowPane(pane, rows, lineAt, decorators);
  return { pane, made, fills, dressed, lines, shown: () => pane.list.map(({ shows }) => shows) };
}

test("a step touches as many elements as rows came into view, and makes none", () => {
  const { pane, made, fills, shown } = paneOf();
  assert.equal(made.mount(10, 29), 29);
  pane.moves = fills.length = 0;
  made.mount(13, 32);
  assert.deepEqual([pane.moves, fills, FakeRow.made], [3, [31, 32, 33], 20]);
  assert.deepEqual(shown(), Array.from({ length: 20 }, (_, at) => at + 14));
  made.mount(11, 30);
  assert.deepEqual(shown(), Array.from({ length: 20 }, (_, at) => at + 12));
});

test("a jump fills elements where they are", () => {
  const { pane, made, shown } = paneOf();
  made.mount(0, 19);
  pane.moves = 0;
  made.mount(5_000, 5_019);
  assert.deepEqual([pane.moves, shown()[0], shown()[19]], [0, 5_001, 5_020]);
  made.mount(5_010, 5_012);
  assert.deepEqual(shown(), [5_011, 5_012, 5_013]);
});

test("a row is filled when its line comes, and when that is another one; else it is left alone", () => {
  let come = false;
  const { made, fills, lines, shown } = paneOf(() => come);
  made.mount(0, 1);
  assert.deepEqual(shown(), [-1, -2]);
  come = true;
  made.mount(0, 1);
  made.mount(0, 1);
  assert.deepEqual(fills, [1, 2]);
  lines.set(1, { number: 2, columns: 7 });
  assert.equal(made.mount(0, 1), 7);
  assert.deepEqual(fills, [1, 2, 2]);
});

test("decorators see each fill, and where two want the same part of a text the first one has it", () => {
  const seen = { rows: [], numbers: [] };
  const decorators = [
    { segments: () => [{ from: 4, to: 8 }], row: (_, line) => seen.rows.push(line.number) },
    { segments: () => [{ from: 0, to: 2 }, { from: 6, to: 9 }], numbered: (_, number) => seen.numbers.push(number) },
  ];
  const { made, pane } = paneOf((row) => row === 0, decorators);
  made.mount(0, 1);
  made.refill();
  assert.deepEqual(pane.list[0].segments, [{ from: 0, to: 2 }, { from: 4, to: 8 }]);
  assert.deepEqual([seen.rows, seen.numbers], [[1, 1], [1, 2, 1, 2]]);
});

test("what is decorated anew keeps its text, unless parts of that are to look different", () => {
  let segments = [{ from: 0, to: 2, className: "log-hit" }];
  const { made, fills, dressed } = paneOf((row) => row < 2, [{ segments: (line) => (line.number === 1 ? segments : []) }]);
  made.mount(0, 2);
  segments = [{ ...segments[0] }];
  made.refill();
  assert.deepEqual([fills, dressed], [[1, 2], [1, 2]]);
  segments = [{ ...segments[0], className: "log-link" }];
  made.refill();
  assert.deepEqual([fills, dressed], [[1, 2, 1], [1, 2, 2]]);
});
