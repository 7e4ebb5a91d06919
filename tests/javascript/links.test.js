import assert from "node:assert/strict";
import { test } from "node:test";

import { MAX_LINKS, findLinks, safeAddress } from "../../static/logviewer/js/links.js";

const written = (text) => findLinks(text).map(([from, to]) => text.slice(from, to));

const CASES = [
  ["see https://example.org/a?b=c#d for more", ["https://example.org/a?b=c#d"]],
  ["HTTP://EXAMPLE.ORG", ["HTTP://EXAMPLE.ORG"]],
  ["Read http://example.org/docs.", ["http://example.org/docs"]],
  ["(http://example.org/a)", ["http://example.org/a"]],
  ["http://en.wikipedia.org/wiki/Go_(game)", ["http://en.wikipedia.org/wiki/Go_(game)"]],
  ["[docs](https://example.org/x_(y)).", ["https://example.org/x_(y)"]],
  ["http://[::1]:8000/x", ["http://[::1]:8000/x"]],
  ["url='https://example.org/'", ["https://example.org/"]],
  ['<a href="https://example.org/x">', ["https://example.org/x"]],
  ["https://example.org/a,https://example.org/b", ["https://example.org/a,https://example.org/b"]],
  ["two: https://a.example https://b.example!", ["https://a.example", "https://b.example"]],
  ["https://例え.example/道。", ["https://例え.example/道"]],
  ["https://example.org/\u202egpj.exe", ["https://example.org/"]],
  ["git+https://example.org/x", ["https://example.org/x"]],
  ["xhttps://example.org", []],
  ["https:// https:/// http://.", []],
  ["javascript://example.org/%0aalert(1) data:text/html,x file:///etc/passwd ftp://x.example", []],
  ["no link here", []],
];

for (const [text, expected] of CASES) test(`links of ${JSON.stringify(text)}`, () => assert.deepEqual(written(text), expected));

test("an address is http or https, with a host", () => {
  assert.equal(safeAddress("https://example.org"), "https://example.org/");
  for (const bad of ["javascript:alert(1)", " https://x", "https://", "http:example.org", `https://x/${"a".repeat(3_000)}`]) {
    assert.equal(safeAddress(bad), null, bad);
  }
});

test("long and hostile lines take no long time, and have a bounded number of links", () => {
  const attacks = ["https://", "https://a ", "https://a)", "((((((((", "https://a(", "http"];
  const began = performance.now();
  for (const attack of attacks) {
    assert.ok(findLinks(attack.repeat(Math.ceil(1_000_000 / attack.length))).length <= MAX_LINKS);
  }
  assert.ok(performance.now() - began < 2_000);
});
