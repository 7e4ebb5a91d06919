import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { chosenLog, chosenStep, firstFailed, firstWithErrors, openingOf, stepsListed } from "../../static/logviewer/js/build-state.js";

// The same table is put to the server's choice in tests/unit/pages/test_choice.py.
const table = JSON.parse(readFileSync(new URL("./choice.json", import.meta.url), "utf-8"));

/** A step from words such as `finished failure`. */
function makeStep(words, place) {
  const [state, results = null] = words.split(" ");
  return { id: 100 + place, number: place + 1, state, results, logs: [] };
}

for (const { name, steps, wanted, step, failed } of table.steps) {
  test(`a build's page opens at: ${name}`, () => {
    const build = { steps: steps.map(makeStep) };
    assert.equal(chosenStep(build, { step: wanted, current: null })?.number ?? null, step);
    assert.equal(firstFailed(build.steps)?.number ?? null, failed);
  });
}

for (const { name, step, logs, wanted, log } of table.logs) {
  test(`the log of a step that is shown: ${name}`, () => {
    const drawn = { ...makeStep(step, 0), logs: logs.map(([slug, errors], place) => ({ id: place + 1, slug, errors })) };
    assert.equal(chosenLog(drawn, wanted)?.slug ?? null, log);
  });
}

test("the log that is shown stays, whatever its neighbours turn out to hold", () => {
  const logs = [{ id: 1, slug: "stdio", errors: 0 }, { id: 2, slug: "junit", errors: 9 }];
  assert.equal(chosenLog({ ...makeStep("finished failure", 0), logs }, null, 1).slug, "stdio");
  assert.equal(chosenLog({ ...makeStep("finished failure", 0), logs }, "junit", 1).slug, "junit");
});

for (const { name, step, log, error, opens } of table.openings) {
  test(`where a log opens: ${name}`, () => {
    assert.equal(openingOf(makeStep(step, 0), { state: log }, error), opens);
  });
}

test("errors of failed steps are told before those of steps that went well", () => {
  const withErrors = (words, place, ...errors) => ({ ...makeStep(words, place), logs: errors.map((count, id) => ({ id, errors: count })) });
  const steps = [withErrors("finished success", 0, 5), withErrors("finished failure", 1, 0), withErrors("finished failure", 2, 0, 7)];
  const { step, log } = firstWithErrors(steps);
  assert.deepEqual([step.number, log.id], [3, 1]);
  assert.equal(firstWithErrors(steps.slice(0, 2)).step.number, 1);
  assert.equal(firstWithErrors(steps.slice(1, 2)), null);
});

test("of many steps the part around the chosen one is listed", () => {
  for (const { count, chosen, ...places } of table.listed) assert.deepEqual(stepsListed(count, chosen), places);
});
