import assert from "node:assert/strict";
import { test } from "node:test";

import { errorText, firstError } from "../../static/logviewer/js/first-error.js";

const log = { errors: 1, links: { marks: "/api/v1/logs/7/marks" } };
const answering = (body, ok = true) => async (address) => {
  assert.equal(address, log.links.marks);
  return { ok, json: async () => body };
};

test("the first error is one, not a warning before it", async () => {
  const errors = [{ n: 3, level: "warning" }, { n: 12, level: "error" }, { n: 40, level: "error" }];
  assert.equal((await firstError(log, answering({ errors }))).n, 12);
  assert.equal(await firstError(log, answering({ errors: [] })), null);
});

test("a log without errors is not asked for any", async () => {
  assert.equal(await firstError({ ...log, errors: 0 }, () => assert.fail("asked")), null);
});

test("whoever cannot be asked keeps no log from opening", async () => {
  assert.equal(await firstError(log, answering({}, false)), null);
  assert.equal(await firstError(log, () => Promise.reject(new TypeError("offline"))), null);
});

test("an error says where it is as far as that is known", () => {
  assert.equal(errorText({ text: "broken" }), "broken");
  assert.equal(errorText({ text: "broken", file: "a.c" }), "a.c: broken");
  assert.equal(errorText({ text: "broken", file: "a.c", line: 0 }), "a.c:0: broken");
});
