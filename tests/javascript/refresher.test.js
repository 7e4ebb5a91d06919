import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";

globalThis.document = Object.assign(new EventTarget(), { hidden: false });

const { LEAST_REST_MS, Refresher } = await import("../../static/logviewer/js/refresher.js");

let loads;
let clock;

/** A refresher whose loads end when the test says so, and the time it lives in. */
function start() {
  const load = () => new Promise((resolve, reject) => loads.push({ resolve, reject }));
  return new Refresher(load, () => clock);
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

function pass(ms) {
  clock += ms;
  mock.timers.tick(ms);
}

async function ends(load, tookMs, how = "resolve") {
  pass(tookMs);
  load[how](new Error("away"));
  await settled();
}

beforeEach(() => {
  loads = [];
  clock = 0;
  document.hidden = false;
  mock.reset();
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout"] });
  mock.method(Math, "random", () => 1);
});

test("what is asked for is loaded at once, and many wishes are one load", () => {
  const refresher = start();
  for (let wish = 0; wish < 5; wish += 1) refresher.request();
  pass(0);
  assert.equal(loads.length, 1);
});

test("a wish during a load is loaded after it and a rest", async () => {
  const refresher = start();
  refresher.request();
  pass(0);
  refresher.request();
  await ends(loads[0], 10);
  pass(LEAST_REST_MS - 1);
  assert.equal(loads.length, 1);
  pass(1);
  assert.equal(loads.length, 2);
});

test("a server that takes long is asked less often", async () => {
  const refresher = start();
  refresher.request();
  pass(0);
  await ends(loads[0], 500);
  refresher.request();
  pass(24_999);
  assert.equal(loads.length, 1);
  pass(1);
  assert.equal(loads.length, 2);
});

test("a load that fails is tried again, later each time", async () => {
  const refresher = start();
  refresher.request();
  pass(0);
  await ends(loads[0], 0, "reject");
  pass(500);
  assert.equal(loads.length, 2);
  await ends(loads[1], 0, "reject");
  pass(500);
  assert.equal(loads.length, 2);
  pass(500);
  assert.equal(loads.length, 3);
  await ends(loads[2], 0);
  pass(60_000);
  assert.equal(loads.length, 3);
});

test("nothing is loaded while nobody looks, and once when somebody does", () => {
  const refresher = start();
  document.hidden = true;
  refresher.request();
  refresher.request();
  pass(60_000);
  assert.equal(loads.length, 0);
  document.hidden = false;
  document.dispatchEvent(new Event("visibilitychange"));
  pass(0);
  assert.equal(loads.length, 1);
});
