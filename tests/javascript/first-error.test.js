import assert from "node:assert/strict";
import { test } from "node:test";

import { firstErrorLine } from "../../static/logviewer/js/first-error.js";

const log = { errors: 1, links: { marks: "/api/v1/logs/7/marks" } };
const answering = (body, ok = true) => async (address) => {
  assert.equal(address, log.links.marks);
  return { ok, json: async () => body };
};

test("the first error is a line that is one, not a warning before it", async () => {
  const errors = [{ n: 3, level: "warning" }, { n: 12, level: "error" }, { n: 40, level: "error" }];
  assert.equal(await firstErrorLine(log, answering({ errors })), 12);
  assert.equal(await firstErrorLine(log, answering({ errors: [] })), null);
});

test("a log without errors is not asked for any", async () => {
  assert.equal(await firstErrorLine({ ...log, errors: 0 }, () => assert.fail("asked")), null);
});

test("whoever cannot be asked keeps no log from opening", async () => {
  assert.equal(await firstErrorLine(log, answering({}, false)), null);
  assert.equal(await firstErrorLine(log, () => Promise.reject(new TypeError("offline"))), null);
});
