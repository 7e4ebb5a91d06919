import assert from "node:assert/strict";
import { test } from "node:test";

import {
  afterEvent,
  chosenLog,
  chosenStep,
  faviconName,
  fromSnapshot,
  heardAt,
  isSettled,
  openLogs,
  statusWord,
} from "../../static/logviewer/js/build-state.js";

const makeLog = (id, more = {}) => ({ id, slug: `log-${id}`, state: "open", size: 0, lines: 0, ...more });
const makeStep = (number, more = {}) => ({ id: 100 + number, number, name: `step ${number}`, slug: `step-${number}`, state: "finished", results: "success", logs: [], ...more });
const makeState = (steps, more = {}) => fromSnapshot({ type: "snapshot", version: 5, id: 1, state: "running", results: null, steps, ...more });
const nothing = { step: null, current: null };

test("a snapshot is the build, with its version apart", () => {
  const state = makeState([makeStep(1)]);
  assert.equal(state.version, 5);
  assert.equal(state.build.steps[0].number, 1);
  assert.equal(state.build.type, undefined);
});

test("a started step is added in its place", () => {
  const state = afterEvent(makeState([makeStep(1), makeStep(3)]), { type: "stepStarted", version: 6, step: makeStep(2, { state: "running", results: null }) });
  assert.deepEqual(state.build.steps.map((step) => step.number), [1, 2, 3]);
  assert.equal(state.version, 6);
});

test("a finished step takes the place of the running one", () => {
  const log = makeLog(7);
  const before = makeState([makeStep(1, { state: "running", results: null, logs: [log] }), makeStep(2)]);
  const state = afterEvent(before, { type: "stepFinished", version: 6, step: makeStep(1, { logs: [log] }) });
  assert.deepEqual(state.build.steps.map((step) => [step.number, step.state]), [[1, "finished"], [2, "finished"]]);
});

test("a new log goes to the step that the event names, a known one is replaced there", () => {
  const begun = afterEvent(makeState([makeStep(1), makeStep(2)]), { type: "logStarted", version: 6, log: makeLog(9), step: 102 });
  assert.deepEqual(begun.build.steps.map((step) => step.logs.length), [0, 1]);
  const ended = afterEvent(begun, { type: "logFinished", version: 7, log: makeLog(9, { state: "finished" }), step: 102 });
  assert.deepEqual(ended.build.steps[1].logs.map((log) => log.state), ["finished"]);
});

test("a log of a step that is not known asks for a snapshot", () => {
  assert.equal(afterEvent(makeState([makeStep(1)]), { type: "logStarted", version: 6, log: makeLog(9), step: 102 }), null);
});

test("a missing version asks for a snapshot, a known one changes nothing", () => {
  const state = makeState([makeStep(1)]);
  assert.equal(afterEvent(state, { type: "stepStarted", version: 8, step: makeStep(2) }), null);
  assert.equal(afterEvent(state, { type: "stepStarted", version: 5, step: makeStep(2) }), state);
});

test("an event of a kind that is not known asks for a snapshot", () => {
  assert.equal(afterEvent(makeState([]), { type: "somethingElse", version: 6 }), null);
});

test("progress changes sizes and raises no version", () => {
  const before = makeState([makeStep(1, { logs: [makeLog(7)] })]);
  const state = afterEvent(before, { type: "progress", version: 5, logs: [{ id: 7, size: 12, lines: 2 }, { id: 8, size: 1, lines: 1 }] });
  assert.equal(state.version, 5);
  assert.equal(state.build.steps[0].logs[0].size, 12);
  assert.equal(before.build.steps[0].logs[0].size, 0);
});

test("the end of the build keeps the steps when the event has only the head", () => {
  const state = afterEvent(makeState([makeStep(1)]), { type: "buildFinished", version: 6, build: { state: "finished", results: "failure" } });
  assert.equal(statusWord(state.build), "failure");
  assert.equal(state.build.steps.length, 1);
});

test("who chose nothing follows the running step to the next one", () => {
  const running = { state: "running", results: null };
  assert.equal(chosenStep(makeState([makeStep(1), makeStep(2, running)]).build, nothing).number, 2);
  assert.equal(chosenStep(makeState([makeStep(1), makeStep(2), makeStep(3, running)]).build, { step: null, current: 2 }).number, 3);
});

test("of steps that run beside each other the shown one stays", () => {
  const running = { state: "running", results: null };
  const { build } = makeState([makeStep(1, running), makeStep(2, running)]);
  assert.equal(chosenStep(build, { step: null, current: 1 }).number, 1);
});

test("who chose a step stays there", () => {
  const { build } = makeState([makeStep(1), makeStep(2, { state: "running", results: null })]);
  assert.equal(chosenStep(build, { step: 1, current: 1 }).number, 1);
});

test("a failed build opens at its first failed step, and a followed one stays where it ended", () => {
  const { build } = makeState([makeStep(1), makeStep(2, { results: "failure" }), makeStep(3, { results: "exception" })], { state: "finished", results: "failure" });
  assert.equal(chosenStep(build, nothing).number, 2);
  assert.equal(chosenStep(build, { step: null, current: 3 }).number, 3);
});

test("a build that went silent was heard as long ago as that takes, not before it began", () => {
  const build = { state: "abandoned", started_at: "2026-01-01T00:00:00Z" };
  const began = Date.parse(build.started_at);
  assert.equal(heardAt(build, { known: null, silentMs: 300_000, now: began + 1_000_000 }), began + 700_000);
  assert.equal(heardAt(build, { known: null, silentMs: 300_000, now: began + 1000 }), began);
  assert.equal(heardAt(build, { known: began + 5, silentMs: 300_000, now: began + 1_000_000 }), began + 5);
  for (const state of ["running", "finished"]) assert.equal(heardAt({ ...build, state }, { known: 5, silentMs: 1, now: 9 }), null);
});

test("an abandoned build opens at the step that was given up", () => {
  const { build } = makeState([makeStep(1), makeStep(2, { state: "abandoned", results: null })], { state: "abandoned" });
  assert.equal(chosenStep(build, nothing).number, 2);
});

test("a build without steps has nothing to show", () => {
  assert.equal(chosenStep(makeState([]).build, nothing), null);
  assert.equal(chosenLog(null, null), null);
});

test("the log is the one asked for, else the first", () => {
  const step = makeStep(1, { logs: [makeLog(1), makeLog(2)] });
  assert.equal(chosenLog(step, "log-2").id, 2);
  assert.equal(chosenLog(step, "no-such-log").id, 1);
});

test("a build is settled when it and all its logs are finished", () => {
  const late = makeState([makeStep(1, { logs: [makeLog(1)] })], { state: "finished", results: "success" }).build;
  assert.equal(openLogs(late), 1);
  assert.equal(isSettled(late), false);
  assert.equal(isSettled(makeState([makeStep(1)], { state: "finished", results: "success" }).build), true);
  assert.equal(isSettled(makeState([]).build), false);
});

test("the favicon says how the build is doing", () => {
  assert.deepEqual(["running", "failure", "exception", "success", "warnings", "cancelled"].map(faviconName), ["running", "failed", "failed", "success", "success", "idle"]);
});
