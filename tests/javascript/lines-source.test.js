import assert from "node:assert/strict";
import { test } from "node:test";

import { firstStart, firstTarget, opensAtEnd } from "../../static/logviewer/js/first-lines.js";
import { LinesRefused, LinesSource } from "../../static/logviewer/js/lines-source.js";

const ADDRESS = "http://x/api/v1/logs/7/lines";

function sourceThat(answers) {
  const asked = [];
  const source = new LinesSource(ADDRESS, async (address, { signal }) => {
    asked.push({ address, signal });
    return answers();
  });
  return { source, asked };
}

const problem = (status, body) => () => ({ ok: false, status, json: async () => body });

test("lines are asked for as the contract says", async () => {
  const { source, asked } = sourceThat(() => ({ ok: true, json: async () => ({ start: 1 }) }));
  assert.deepEqual(await source.get(-500, 500), { start: 1 });
  await source.get(1, 2, { channels: [0, 2] });
  assert.deepEqual(asked.map(({ address }) => address), [
    `${ADDRESS}?start=-500&count=500`,
    `${ADDRESS}?start=1&count=2&channels=stdout%2Cheader`,
  ]);
});

test("a problem's detail is told, and whether to ask again", async () => {
  const refusals = [
    [503, { detail: "The store is away." }, "The store is away.", false],
    [429, { detail: "Too many." }, "Too many.", false],
    [404, { detail: "No such log." }, "No such log.", true],
    [502, null, "The server answered 502.", false],
  ];
  for (const [status, body, message, final] of refusals) {
    const { source } = sourceThat(problem(status, body));
    await assert.rejects(source.get(1, 1), (error) => {
      assert.ok(error instanceof LinesRefused);
      assert.deepEqual([error.status, error.message, error.final], [status, message, final]);
      return true;
    });
  }
});

test("a network that is away is tried again, an abort is an abort", async () => {
  const failing = (error) => sourceThat(() => Promise.reject(error)).source.get(1, 1);
  await assert.rejects(failing(new TypeError("Failed to fetch")), { name: "LinesRefused", final: false });
  await assert.rejects(failing(Object.assign(new Error(), { name: "AbortError" })), { name: "AbortError" });
});

test("the lines seen first: the marked ones, the end of what is written, else the beginning", () => {
  assert.equal(firstStart({ first: 720, last: 722 }, false), 501);
  assert.equal(firstStart({ first: 500, last: 500 }, true), 1);
  assert.equal(firstStart(null, false), 1);
  assert.equal(firstStart(null, true), -500);
});

test("a log opens at what the address marks, else where its element says, else at the end of what is written", () => {
  const element = (state, opensAt, hash = "") => ({ dataset: { state, opensAt }, ownerDocument: { defaultView: { location: { hash } } } });
  const opens = (each) => [firstTarget(each)?.first ?? null, opensAtEnd(each)];
  assert.deepEqual(opens(element("finished", "L299123")), [299123, false]);
  assert.deepEqual(opens(element("finished", "L299123", "#L7")), [7, false]);
  assert.deepEqual(opens(element("finished", "end")), [null, true]);
  assert.deepEqual(opens(element("finished", "top")), [null, false]);
  assert.deepEqual(opens(element("finished", undefined)), [null, false]);
  assert.deepEqual(opens(element("open", "follow")), [null, true]);
  assert.deepEqual(opens(element("abandoned", undefined)), [null, true]);
});
