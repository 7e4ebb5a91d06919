import assert from "node:assert/strict";
import { test } from "node:test";

import { Search, SearchRefused } from "../../static/logviewer/js/search.js";

const QUERY = { text: "boom", regex: false, case: false, channels: "" };
const settled = () => new Promise((resolve) => setImmediate(resolve));

/** A server whose log of `lines` has matches in `hits`; `pages` are the questions it was asked. */
function serverWith(hits, { lines = 1_000_000, cap = 100_000 } = {}) {
  const server = { hits, lines, pages: [], changes: 0, fail: null };
  const ask = async ({ start, limit, ...rest }, signal) => {
    server.pages.push({ start, limit, ...rest });
    await settled();
    if (signal.aborted) throw new DOMException("aborted", "AbortError");
    if (server.fail) throw server.fail;
    const page = server.hits.filter((n) => n >= start);
    const shown = page.slice(0, limit);
    return {
      total: Math.min(server.hits.length, cap),
      exact: server.hits.length <= cap,
      hits: shown.map((n) => ({ n, spans: [[0, 4]], text: "boom" })),
      next: page.length > limit ? page[limit] : null,
    };
  };
  server.search = new Search(ask, () => server.lines, () => (server.changes += 1));
  return server;
}

test("the first match is the one where the reader is, then round", async () => {
  const { search } = serverWith([10, 500, 900_000]);
  assert.deepEqual(await search.start(QUERY, 400, false), { line: 500, wrapped: false });
  assert.deepEqual(await search.next(500), { line: 900_000, wrapped: false });
  assert.deepEqual(await search.next(900_000), { line: 10, wrapped: true });
  assert.deepEqual(await search.previous(10), { line: 900_000, wrapped: true });
  assert.deepEqual(await search.previous(900_000), { line: 500, wrapped: false });
  assert.deepEqual([search.state, search.total, search.exact], ["found", 3, true]);
});

test("which one of how many, once that is known", async () => {
  const { search } = serverWith([10, 500, 900_000]);
  await search.start(QUERY, 400, false);
  assert.equal(search.rank(500), null);
  for (let turn = 0; turn < 5; turn += 1) await settled();
  assert.deepEqual([10, 500, 900_000].map((line) => search.rank(line)), [1, 2, 3]);
});

test("nothing is found in one question", async () => {
  const server = serverWith([]);
  assert.equal(await server.search.start(QUERY, 400, false), null);
  assert.equal(server.search.state, "none");
  assert.equal(await server.search.next(5), null);
  assert.equal(await server.search.previous(5), null);
  assert.equal(server.pages.length, 1);
});

test("an empty text is no question", async () => {
  const server = serverWith([1]);
  assert.equal(await server.search.start({ ...QUERY, text: "" }, 1, false), null);
  assert.deepEqual([server.search.state, server.pages.length], ["idle", 0]);
});

test("the log is never downloaded: a hundred thousand matches are a few pages", async () => {
  const server = serverWith(Array.from({ length: 200_000 }, (_, at) => at * 5 + 1));
  await server.search.start(QUERY, 500_000, false);
  for (let turn = 0; turn < 60; turn += 1) await settled();
  assert.ok(server.pages.length <= 9, `${server.pages.length} pages`);
  assert.deepEqual([server.search.total, server.search.exact], [100_000, false]);
  assert.deepEqual(await server.search.previous(500_001), { line: 499_996, wrapped: false });
  assert.ok(server.search.numbers.length < 25_000);
});

test("a match far before is found without asking for all between", async () => {
  const server = serverWith([3, 999_000]);
  await server.search.start(QUERY, 998_000, true);
  server.pages.length = 0;
  server.search.grown(999_000);
  assert.deepEqual(await server.search.previous(999_000), { line: 3, wrapped: false });
  assert.ok(server.pages.length <= 6, `${server.pages.length} pages`);
});

test("answers to what is not asked any more are dropped, and called off", async () => {
  const server = serverWith([10]);
  const first = server.search.start(QUERY, 1, false);
  const second = server.search.start({ ...QUERY, text: "other" }, 1, false);
  assert.equal(await first, null);
  assert.deepEqual(await second, { line: 10, wrapped: false });
  server.search.stop();
  assert.deepEqual([server.search.state, server.search.query, server.search.numbers], ["idle", null, []]);
});

test("the question says everything the server has to know", async () => {
  const server = serverWith([1]);
  await server.search.start({ text: "a+", regex: true, case: true, channels: "stderr" }, 7, false);
  assert.deepEqual(server.pages[0], { q: "a+", regex: "1", case: "1", channels: "stderr", start: 7, limit: 500 });
});

test("a pattern that is none fails with the server's words, and a better one goes on", async () => {
  const server = serverWith([10]);
  server.fail = new SearchRefused("missing closing )");
  assert.equal(await server.search.start(QUERY, 1, false), null);
  assert.deepEqual([server.search.state, server.search.reason], ["failed", "missing closing )"]);
  server.fail = new TypeError("network");
  await server.search.start(QUERY, 1, false);
  assert.equal(server.search.reason, "The server could not be reached.");
  server.fail = null;
  assert.deepEqual(await server.search.next(1), { line: 10, wrapped: false });
  assert.equal(server.search.state, "found");
});

test("lines that come into view have their matches known, once", async () => {
  const server = serverWith([10, 900_000]);
  await server.search.start(QUERY, 950_000, true);
  server.pages.length = 0;
  await server.search.show(900_000, 900_050);
  assert.deepEqual(server.search.spans(900_000), { spans: [[0, 4]], text: "boom" });
  await server.search.show(900_000, 900_050);
  assert.ok(server.pages.length <= 1);
});

test("what an open log got since is found too", async () => {
  const server = serverWith([10], { lines: 100 });
  await server.search.start(QUERY, 1, true);
  assert.deepEqual(await server.search.next(10), { line: 10, wrapped: true });
  server.hits = [10, 150];
  server.lines = 200;
  server.search.grown(100);
  assert.deepEqual(await server.search.next(10), { line: 150, wrapped: false });
  assert.equal(server.search.total, 2);
});
