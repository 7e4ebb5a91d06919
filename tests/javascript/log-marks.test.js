import assert from "node:assert/strict";
import { test } from "node:test";

import { LogMarks } from "../../static/logviewer/js/log-marks.js";

globalThis.document = { hidden: false };

const settled = async () => {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
};

/** The marks of a log, by a server that gives `answers` in turn, the last one ever again; null: it fails. */
async function marksOf(t, log, answers) {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  t.mock.method(Math, "random", () => 1);
  const asked = [];
  t.mock.method(globalThis, "fetch", async () => {
    const answer = answers[Math.min(asked.length, answers.length - 1)];
    asked.push(answer);
    return { ok: answer !== null, status: 503, json: async () => answer };
  });
  const closing = new AbortController();
  const viewer = { log, element: new EventTarget(), signal: closing.signal };
  const marks = new LogMarks(viewer);
  await settled();
  /** How often is asked within so many seconds. */
  const askedIn = async (seconds) => {
    const before = asked.length;
    for (let tenth = 0; tenth < seconds * 10; tenth += 1) {
      t.mock.timers.tick(100);
      await settled();
    }
    return asked.length - before;
  };
  const end = () => {
    log.state = "finished";
    viewer.element.dispatchEvent(new Event("log:state"));
  };
  return { asked, askedIn, closing, end, marks };
}

const FOUND = { errors: [{ n: 3, level: "error", text: "no" }], folds: [], gaps: [], counts: {} };

test("a finished log whose marks are refused is asked again, after ever longer waits", async (t) => {
  const { asked, askedIn, closing, marks } = await marksOf(t, { id: 1, state: "finished", lines: 9 }, [null, null, FOUND]);
  assert.equal(asked.length, 1);
  assert.equal(await askedIn(3), 1);
  assert.equal(await askedIn(5.9), 0);
  assert.equal(await askedIn(0.1), 1);
  assert.equal(marks.errors.count, 1);
  assert.equal(await askedIn(300), 0);
  closing.abort();
});

test("after its end a log is asked until all of it has been looked at", async (t) => {
  const answers = [{ ...FOUND, complete: true }, { ...FOUND, complete: false }];
  const { askedIn, closing, end } = await marksOf(t, { id: 1, state: "open", lines: 9 }, answers);
  assert.equal(await askedIn(60), 0); // nothing grew
  end();
  assert.equal(await askedIn(1.5), 1);
  assert.equal(await askedIn(3 + 6 + 12 + 24 + 48), 5);
  assert.equal(await askedIn(120), 2);
  answers.push(...Array(10).fill({ ...FOUND, complete: true }));
  assert.equal(await askedIn(60), 1);
  assert.equal(await askedIn(600), 0);
  closing.abort();
});

test("a server that does not say whether it has looked at all is asked once more", async (t) => {
  const { askedIn, end } = await marksOf(t, { id: 1, state: "open", lines: 9 }, [FOUND]);
  end();
  assert.equal(await askedIn(300), 1);
});
