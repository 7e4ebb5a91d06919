import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { BlockStore } from "../../static/logviewer/js/block-store.js";
import { LogConnection } from "../../static/logviewer/js/log-connection.js";
import { frameOf, wireOf } from "./frames.js";

const HELLO = { type: "hello", log: 12, state: "open", offset: 0, line: 1, size: 0, lines: 0, window: 65_536 };
const settled = () => new Promise((resolve) => setImmediate(resolve));

class FakeWebSocket {
  static last = null;

  constructor() {
    FakeWebSocket.last = this;
  }

  send() {}

  close() {}

  tell(message) {
    this.onmessage({ data: JSON.stringify(message) });
  }

  frame(offset, line, content) {
    this.onmessage({ data: wireOf(frameOf([[0, content, 0]], { offset, line })) });
  }
}

/** The connection of an open log, with what it is told and asks. */
function connected() {
  const closing = new AbortController();
  const window = Object.assign(new EventTarget(), { navigator: { onLine: true } });
  const ownerDocument = Object.assign(new EventTarget(), {
    baseURI: "https://logs.example/",
    visibilityState: "visible",
    defaultView: window,
  });
  const element = Object.assign(new EventTarget(), { ownerDocument, dataset: { socket: "/ws/logs/12" } });
  const log = { state: "open", size: 0, lines: 0 };
  const store = new BlockStore({ get: () => new Promise(() => {}) }, { onChange: () => {}, onError: () => {} });
  const listener = { onLines: () => {}, onStart: () => {}, onChange: () => {} };
  const view = { showState: () => {}, showError: () => {} };
  const connection = new LogConnection(element, log, store, view, listener, closing.signal);
  return { connection, log, store, ownerDocument, closing };
}

const { WebSocket } = globalThis;
let opened = null;

beforeEach(() => {
  globalThis.WebSocket = FakeWebSocket;
  opened = connected();
});

afterEach(() => {
  opened.closing.abort();
  opened.store.close();
  globalThis.WebSocket = WebSocket;
});

test("the lines that come live are counted at once, the one that has not ended with them", async () => {
  const { log } = opened;
  FakeWebSocket.last.tell(HELLO);
  await settled();
  FakeWebSocket.last.frame(0, 1, "one\ntwo\n");
  assert.equal(log.lines, 2);
  FakeWebSocket.last.frame(8, 3, "thr");
  assert.equal(log.lines, 3);
  FakeWebSocket.last.frame(11, 3, "ee\n");
  assert.equal(log.lines, 3);
});

test("after a reload nothing is known of what was sent before", async () => {
  const { connection, log, store } = opened;
  FakeWebSocket.last.tell(HELLO);
  await settled();
  FakeWebSocket.last.frame(0, 1, "one\ntwo\n");
  FakeWebSocket.last.tell({ type: "size", size: 900, lines: 40 });
  FakeWebSocket.last.tell({ type: "reload" });
  assert.deepEqual([store.total, store.line(1), log.lines, connection.size], [0, undefined, 0, 0]);
});
