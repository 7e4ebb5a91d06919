import assert from "node:assert/strict";
import { test } from "node:test";

import { ROW_PX, Scroller } from "../../static/logviewer/js/scroller.js";

const ROWS = 1_000;
const style = { setProperty: () => {} };

/** A viewport of `height` px at the end of 1,000 rows, drawn; `grow` makes it higher, as a browser does. */
function atEnd(height) {
  const viewport = {
    style,
    scrollTop: 0,
    clientHeight: height,
    scrollHeight: ROWS * ROW_PX,
    toggleAttribute: () => {},
    grow(px) {
      this.clientHeight += px;
      this.scrollTop = Math.min(this.scrollTop, this.scrollHeight - this.clientHeight);
    },
  };
  const pane = { style, ownerDocument: { getSelection: () => null } };
  const scroller = new Scroller({ viewport, canvas: { style }, pane }, { first: 0, mount: () => 0, entries: () => [] });
  scroller.draw(ROWS, true);
  assert.equal(viewport.scrollTop, ROWS * ROW_PX - height);
  return { viewport, scroller };
}

test("a viewport that becomes higher at the end is not the reader going up", () => {
  const { viewport, scroller } = atEnd(400);
  viewport.grow(100);
  assert.equal(scroller.scrolled(), null);
  scroller.resized();
  scroller.draw(ROWS, true);
  assert.deepEqual([viewport.scrollTop, scroller.atEnd], [ROWS * ROW_PX - 500, true]);
});

test("who goes up while the viewport becomes higher does go up", () => {
  const { viewport, scroller } = atEnd(400);
  viewport.grow(100);
  viewport.scrollTop -= 300;
  assert.equal(scroller.scrolled(), "up");
});

test("a browser that goes beyond the ends and springs back is not the reader", () => {
  const { viewport, scroller } = atEnd(400);
  viewport.scrollTop += 60;
  assert.equal(scroller.scrolled(), null);
  viewport.scrollTop -= 60;
  assert.equal(scroller.scrolled(), null);
  viewport.scrollTop -= 60;
  assert.equal(scroller.scrolled(), "up");
  viewport.scrollTop = -30;
  assert.equal(scroller.scrolled(), "up");
  viewport.scrollTop = 0;
  assert.equal(scroller.scrolled(), null);
});
