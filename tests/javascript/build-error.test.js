import assert from "node:assert/strict";
import { test } from "node:test";

import { BuildError } from "../../static/logviewer/js/build-error.js";

const error = (text, n = 3) => ({ n, level: "error", text });
const marksOf = (complete, ...errors) => ({ errors, counts: { errors: errors.length }, complete });
const logOf = (id, errors = 0) => ({ id, slug: "stdio", errors, links: { marks: `/marks/${id}` } });
const stepOf = (number, results, errors = 0) => ({ number, results, logs: [logOf(number, errors)] });
const failed = (...steps) => ({ state: "finished", results: "failure", steps });

/** `marks` is what each log has, by its id, and may change; `told` what was drawn, `asked` which logs were asked. */
function telling(marks, told = null) {
  const drawn = [];
  const asked = [];
  const fetch = async (address) => {
    const id = Number(address.split("/").at(-1));
    asked.push(id);
    return { ok: id in marks, json: async () => marks[id] };
  };
  const show = (step, _log, found) => drawn.push(`${step.number}: ${found.text}`);
  return { buildError: new BuildError({ show, told, fetch }), drawn, asked };
}

test("until all was looked through, a passed step's error is not taken for the build's", async () => {
  const marks = { 1: marksOf(true, error("harmless")), 2: marksOf(false) };
  const { buildError, drawn } = telling(marks);
  const build = failed(stepOf(1, "success", 1), stepOf(2, "failure"));
  await buildError.hear(build);
  assert.deepEqual(drawn, []);
  await buildError.settle(build, async () => failed(stepOf(1, "success", 1), stepOf(2, "failure", 1)), async () => {
    marks[2] = marksOf(true, error("broken"));
  });
  assert.deepEqual(drawn, ["2: broken"]);
});

test("another one is told as soon as it is the first, the same one is not asked for again", async () => {
  const marks = { 1: marksOf(true, error("one")), 2: marksOf(true, error("two")) };
  const { buildError, drawn, asked } = telling(marks);
  const build = failed(stepOf(1, "failure"), stepOf(2, "failure", 1));
  await buildError.hear(build);
  await buildError.hear(build);
  assert.deepEqual(asked, [2]);
  await buildError.hear(failed(stepOf(1, "failure", 1), stepOf(2, "failure", 1)));
  assert.deepEqual(drawn, ["2: two", "1: one"]);
});

test("it asks until the logs that come before are complete, longer each time, and then no more", async () => {
  const marks = { 1: marksOf(false), 2: marksOf(true, error("two")) };
  const { buildError, drawn } = telling(marks);
  const build = failed(stepOf(1, "failure"), stepOf(2, "failure", 1));
  const waits = [];
  await buildError.settle(build, async () => build, async (ms) => {
    waits.push(ms);
    if (waits.length === 4) marks[1] = marksOf(true, error("one"));
  });
  assert.deepEqual(waits, [1000, 2000, 4000, 8000]);
  assert.deepEqual(drawn, ["2: two", "1: one"]);
});

test("where no failed step has an error, another's is told at the end", async () => {
  const { buildError, drawn } = telling({ 1: marksOf(true, error("one")), 2: marksOf(true) });
  await buildError.settle(failed(stepOf(1, "success", 1), stepOf(2, "failure")), () => assert.fail("read"));
  assert.deepEqual(drawn, ["1: one"]);
});

test("what the page came with is asked for no more where it is the first", async () => {
  const { buildError, asked } = telling({}, { step: "1", log: "stdio" });
  await buildError.settle(failed(stepOf(1, "failure", 1), stepOf(2, "failure", 1)), () => assert.fail("read"));
  assert.deepEqual(asked, []);
});

test("of a server that is away nothing is believed, and in the end it is left alone", async () => {
  const { buildError, drawn, asked } = telling({});
  const waits = [];
  await buildError.settle(failed(stepOf(1, "failure")), async () => (waits.length < 3 ? null : failed(stepOf(1, "failure"))), async (ms) => waits.push(ms));
  assert.equal(waits.length, 9);
  assert.equal(asked.length, 1 + 7);
  assert.deepEqual(drawn, []);
});

test("a build of very many logs is asked for a few at a time", async () => {
  const steps = Array.from({ length: 40 }, (_, place) => stepOf(place + 1, "failure"));
  const marks = Object.fromEntries(steps.map(({ number }) => [number, marksOf(true)]));
  const { buildError, asked } = telling(marks);
  const seen = [];
  await buildError.settle(failed(...steps), async () => failed(...steps), async () => seen.push(asked.length));
  assert.deepEqual([...seen, asked.length], [16, 32, 40]);
});

test("a build that did not go wrong tells nothing", async () => {
  const { buildError, drawn, asked } = telling({ 1: marksOf(true, error("one")) });
  const build = { ...failed(stepOf(1, "failure", 1)), results: "success" };
  await buildError.hear(build);
  await buildError.settle(build, () => assert.fail("read"));
  assert.deepEqual([drawn, asked], [[], []]);
});
