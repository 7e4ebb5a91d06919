import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { placeAfterKey } from "../../static/logviewer/js/timeline-view.js";
import { timelineOf } from "../../static/logviewer/js/timeline.js";

// The same table is put to the server's drawing in tests/unit/pages/test_timeline.py.
const table = JSON.parse(readFileSync(new URL("./timeline.json", import.meta.url), "utf-8"));
const began = Date.parse(table.began);

const at = (seconds) => began + seconds * 1000;
const momentOf = (seconds) => (seconds === null ? null : new Date(at(seconds)).toISOString());

function makeStep(number, name, words, start, end) {
  const [state, results = null] = words.split(" ");
  return { number, name, state, results, started_at: momentOf(start), finished_at: momentOf(end) };
}

const makeBuild = (state, ended, steps) => ({ state, started_at: table.began, finished_at: momentOf(ended), steps });
const drawn = (bar) => [bar.number, bar.first, bar.last, bar.status, bar.label, bar.x, bar.width, bar.lane, bar.isMarked];

for (const each of table.cases) {
  test(each.name, () => {
    const steps = each.steps.map((step, place) => makeStep(place + 1, ...step));
    const times = { usual: each.usual, heard: at(each.heard ?? 0), now: at(each.now) };
    const timeline = timelineOf(makeBuild(each.state, each.ended, steps), times);
    assert.deepEqual(timeline.bars.map(drawn), each.bars);
    assert.deepEqual([timeline.lanes, timeline.usual, timeline.summary], [each.lanes, each.usual_at, each.summary]);
  });
}

test(table.many.name, () => {
  const { steps: count, seconds_each: each, failed, running } = table.many;
  const steps = Array.from({ length: count }, (_, place) => {
    const words = place + 1 === running ? "running" : `finished ${failed.includes(place + 1) ? "failure" : "success"}`;
    return makeStep(place + 1, `step ${place + 1}`, words, place * each, words === "running" ? null : (place + 1) * each);
  });
  const { bars } = timelineOf(makeBuild("running", null, steps), { usual: null, heard: 0, now: at(count * each) });
  assert.equal(bars.length, table.many.bars);
  assert.deepEqual(drawn(bars[1]).slice(0, 5), table.many.second);
  assert.deepEqual(drawn(bars.at(-1)).slice(0, 5), table.many.last);
});

test("arrow keys go from bar to bar and stop at the ends, other keys go nowhere", () => {
  const after = (key, place) => placeAfterKey(key, place, 3);
  assert.deepEqual([after("ArrowRight", 0), after("ArrowRight", 2), after("ArrowLeft", 1), after("ArrowLeft", 0)], [1, 2, 0, 0]);
  assert.deepEqual([after("Home", 2), after("End", 0), after("Enter", 1), after("toString", 1)], [0, 2, null, null]);
});
