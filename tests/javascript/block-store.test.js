import assert from "node:assert/strict";
import { test } from "node:test";

import { BlockStore, MAX_BLOCKS, MAX_CHARACTERS } from "../../static/logviewer/js/block-store.js";
import { BLOCK_LINES, LinesRefused } from "../../static/logviewer/js/lines-source.js";
import { lineText } from "../../static/logviewer/js/rows.js";

const settled = () => new Promise((resolve) => setImmediate(resolve));

/** A server with a log of `total` lines; `text(n)` is a line's. Requests wait until `answer` is called. */
class FakeSource {
  asked = [];
  most = 5_000;

  constructor(total, text = (number) => `line ${number}`) {
    this.total = total;
    this.text = text;
    this.complete = true;
    this.sgr = "";
  }

  get(start, count, { channels = null, signal } = {}) {
    return new Promise((resolve, reject) => {
      const request = { start, count, channels, resolve, reject, aborted: false };
      signal?.addEventListener("abort", () => {
        request.aborted = true;
        reject(Object.assign(new Error("aborted"), { name: "AbortError" }));
      });
      this.asked.push(request);
    });
  }

  /** Answer what was asked and not aborted. */
  async answer() {
    for (const { start, count, channels, resolve, aborted } of this.asked.splice(0)) {
      if (!aborted) resolve(this.lines(start, count, channels));
    }
    await settled();
  }

  /** Answer until nothing more is asked. */
  async answerAll() {
    while (this.asked.length > 0) await this.answer();
  }

  /** With channels only every third line has any of them. */
  lines(start, count, channels = null) {
    const step = channels === null ? 1 : 3;
    const total = Math.floor(this.total / step);
    const first = start < 0 ? Math.max(1, total + 1 + start) : start;
    const lines = [];
    for (let index = first; index <= Math.min(total, first + Math.min(count, this.most) - 1); index += 1) {
      const n = index * step;
      lines.push({ n, t: n, runs: [[0, this.text(n)]] });
    }
    return { start: first, total, complete: this.complete, sgr: this.sgr, lines };
  }
}

function storeOf(source, environment = globalThis) {
  const told = { changes: 0, errors: [] };
  const listener = { onChange: () => (told.changes += 1), onError: (error) => error && told.errors.push(error.message) };
  return { store: new BlockStore(source, listener, environment), told };
}

async function primed(source) {
  const made = storeOf(source);
  made.store.prime(source.get(1, BLOCK_LINES));
  await source.answer();
  return made;
}

const textAt = (store, index) => {
  const line = store.line(index);
  return line && lineText(line);
};

const live = (number, text, ended = true) => ({ number, time: 0, spans: [[0, {}, text]], columns: 1, cut: null, ended });

test("the first answer tells the total, and its lines are there", async () => {
  const { store, told } = await primed(new FakeSource(10_000_000));
  assert.deepEqual([store.total, store.complete, textAt(store, 500), textAt(store, 501)], [1e7, true, "line 500", undefined]);
  assert.ok(told.changes > 0);
});

test("what is wanted is asked for in blocks, then its neighbours", async () => {
  const source = new FakeSource(10_000_000);
  const { store } = await primed(source);
  source.asked.length = 0;
  store.want(5_000_490, 5_000_520);
  assert.deepEqual(source.asked.map(({ start, count }) => [start, count]), [[5_000_001, 500], [5_000_501, 500]]);
  await source.answer();
  assert.equal(textAt(store, 5_000_520), "line 5000520");
  await source.answerAll();
  assert.deepEqual([textAt(store, 5_001_001), textAt(store, 5_000_000)], ["line 5001001", "line 5000000"]);
  store.want(5_000_491, 5_000_521);
  assert.equal(source.asked.length, 0);
});

test("what is no longer wanted is aborted, and who goes on like that asks only where it rests", async () => {
  const source = new FakeSource(10_000_000);
  const timers = [];
  const environment = { setTimeout: (act) => timers.push(act), clearTimeout: () => timers.pop(), random: () => 1 };
  const { store } = storeOf(source, environment);
  store.prime(source.get(1, BLOCK_LINES));
  await source.answerAll();
  for (let first = 1_000_001; first < 9_000_000; first += 10_000) store.want(first, first + 40);
  assert.deepEqual(source.asked.map(({ start, aborted }) => [start, aborted]), [[1_000_001, true]]);
  timers.pop()();
  assert.deepEqual(source.asked.map(({ start }) => start), [1_000_001, 8_990_001]);
  await source.answer();
  assert.deepEqual([textAt(store, 1_000_001), textAt(store, 8_990_001)], [undefined, "line 8990001"]);
});

test("sweeping over all of it keeps at most 40 blocks", async () => {
  const source = new FakeSource(1_000_000);
  const { store } = await primed(source);
  for (let first = 1; first < 1_000_000; first += 9_973) {
    store.want(first, first + 40);
    await source.answerAll();
    assert.equal(textAt(store, first), `line ${first}`);
  }
  assert.ok(store.blockCount <= MAX_BLOCKS, `${store.blockCount} blocks`);
});

test("long lines are bounded by what they weigh, and come in as many answers as they need", async () => {
  const source = new FakeSource(20_000, (number) => `${number}`.padEnd(20_000, "x"));
  source.most = 200;
  const { store } = await primed(source);
  await source.answerAll();
  for (let first = 401; first < 20_000; first += 500) {
    store.want(first, first + 40);
    await source.answerAll();
    assert.ok(lineText(store.line(first)).startsWith(`${first}x`));
  }
  assert.ok(store.weight <= MAX_CHARACTERS + 20_100 * 500, `${store.weight} characters`);
});

test("the colour in force goes on from where the server says, over blocks of one answer", async () => {
  const source = new FakeSource(5_000, (number) => (number === 4_700 ? "\x1b[32mgreen" : "text"));
  source.sgr = "31";
  const { store } = storeOf(source);
  store.prime(source.get(-500, BLOCK_LINES));
  await source.answer();
  const inkAt = (index) => store.line(index).spans[0][1].foreground;
  assert.deepEqual([4_501, 4_699, 4_700, 5_000].map(inkAt), [1, 1, 2, 2]);
  assert.equal((await store.penAt(4_701)).foreground, 2);
});

test("a pen that is not known is asked for", async () => {
  const source = new FakeSource(5_000);
  const { store } = storeOf(source);
  source.sgr = "1;35";
  const asked = store.penAt(3_000);
  assert.deepEqual(source.asked.map(({ start, count }) => [start, count]), [[3_000, 1]]);
  await source.answer();
  assert.equal((await asked).foreground, 5);
});

test("live lines are lines, an unfinished one gives way to what it becomes", async () => {
  const source = new FakeSource(700);
  source.complete = false;
  const { store } = await primed(source);
  store.put(live(701, "live"));
  store.put(live(702, "unfin", false));
  assert.deepEqual([store.total, textAt(store, 702)], [702, "unfin"]);
  store.put(live(702, "unfinished"));
  assert.deepEqual([textAt(store, 701), textAt(store, 702)], ["live", "unfinished"]);
  store.want(690, 702);
  await source.answerAll();
  assert.deepEqual([textAt(store, 700), textAt(store, 702)], ["line 700", "unfinished"]);
});

test("a line that had not ended is asked for again where live lines begin behind it", async () => {
  const source = new FakeSource(100);
  source.complete = false;
  const { store } = await primed(source);
  source.total = 1_000;
  source.text = (number) => `whole ${number}`;
  store.liveFrom(501);
  store.put(live(1_000, "last"));
  store.want(90, 110);
  await source.answerAll();
  assert.deepEqual([textAt(store, 99), textAt(store, 100), textAt(store, 101)], ["line 99", "whole 100", "whole 101"]);
});

test("live lines that are doubted are shown until the server's come", async () => {
  const source = new FakeSource(3);
  source.complete = false;
  const { store } = await primed(source);
  store.put(live(4, "as it came"));
  source.total = 4;
  store.want(1, 4);
  store.doubtLive();
  assert.equal(textAt(store, 4), "as it came");
  await source.answerAll();
  assert.equal(textAt(store, 4), "line 4");
});

test("a request that fails is told, tried again later, and all is well once it succeeds", async () => {
  const source = new FakeSource(1_000);
  const timers = [];
  const environment = { setTimeout: (act, ms) => timers.push({ act, ms }), clearTimeout: () => {}, random: () => 1 };
  const { store, told } = storeOf(source, environment);
  store.prime(source.get(1, BLOCK_LINES));
  for (const wait of [500, 1_000, 2_000]) {
    source.asked.splice(0)[0].reject(new LinesRefused("away", { status: 503 }));
    await settled();
    assert.deepEqual([timers.length, timers[0].ms, source.asked.length], [1, wait, 0]);
    store.want(1, 40);
    assert.equal(source.asked.length, 0, "nothing is asked while it waits");
    timers.pop().act();
  }
  assert.deepEqual(told.errors, ["away", "away", "away"]);
  await source.answerAll();
  assert.equal(textAt(store, 40), "line 40");
});

test("a line that the server does not have is not asked for without pause", async () => {
  const source = new FakeSource(100);
  source.complete = false;
  const timers = [];
  const environment = { setTimeout: (act) => timers.push(act), clearTimeout: () => {}, random: () => 1 };
  const { store } = storeOf(source, environment);
  store.prime(source.get(1, BLOCK_LINES));
  await source.answer();
  store.grow(140);
  store.want(90, 140);
  for (let turn = 0; turn < 5; turn += 1) await source.answer();
  assert.deepEqual([source.asked.length, timers.length], [0, 1]);
  source.total = 140;
  timers.pop()();
  await source.answerAll();
  assert.equal(textAt(store, 140), "line 140");
});

test("a finished log has no more lines than its server says, whatever was told before", async () => {
  const source = new FakeSource(100);
  const { store } = await primed(source);
  store.grow(140);
  store.want(90, 140);
  for (let turn = 0; turn < 5; turn += 1) await source.answer();
  assert.deepEqual([store.total, source.asked.length], [100, 0]);
});

test("a total that is forgotten is asked for again, and may be less", async () => {
  const source = new FakeSource(1_000);
  const { store } = await primed(source);
  store.clear();
  store.forgetTotal();
  assert.equal(store.total, 0);
  source.asked.length = 0;
  source.total = 20;
  store.want(1, 40);
  for (let turn = 0; turn < 5; turn += 1) await source.answer();
  assert.deepEqual([store.total, textAt(store, 20), store.line(21), source.asked.length], [20, "line 20", undefined, 0]);
});

test("what is refused for good is not asked for again", async () => {
  const source = new FakeSource(1_000);
  const { store, told } = storeOf(source);
  store.prime(source.get(1, BLOCK_LINES));
  source.asked.splice(0)[0].reject(new LinesRefused("gone", { status: 404, final: true }));
  await settled();
  store.want(1, 40);
  assert.deepEqual([source.asked.length, told.errors], [0, ["gone"]]);
});

test("chosen channels have their own indexes, and numbers are found in them", async () => {
  const source = new FakeSource(30_000);
  const { store } = await primed(source);
  store.setChannels([1]);
  assert.deepEqual([store.total, store.line(1)], [0, undefined]);
  await source.answerAll();
  assert.deepEqual([store.total, store.line(2).number], [10_000, 6]);
  const found = store.indexOf(15_000);
  for (let turn = 0; turn < 20; turn += 1) await source.answer();
  assert.equal(await found, 5_000);
  store.setChannels(null);
  await source.answerAll();
  assert.deepEqual([store.total, await store.indexOf(77)], [30_000, 77]);
});

test("a growing log under chosen channels is read on from its last line", async () => {
  const source = new FakeSource(1_500);
  source.complete = false;
  const { store } = await primed(source);
  store.setChannels([0]);
  await source.answerAll();
  source.total = 1_800;
  store.refresh();
  assert.deepEqual(source.asked.map(({ start }) => start), [500]);
  await source.answerAll();
  store.want(480, 600);
  await source.answerAll();
  assert.deepEqual([store.total, store.line(500).number, store.line(600).number], [600, 1_500, 1_800]);
});

test("a closed store asks nothing", async () => {
  const source = new FakeSource(1_000);
  const { store } = await primed(source);
  source.asked.length = 0;
  store.close();
  store.want(600, 640);
  assert.equal(source.asked.length, 0);
});
