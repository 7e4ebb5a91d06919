import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { LogSocket, SUBPROTOCOL, goingAwayDelayMs } from "../../static/logviewer/js/log-socket.js";
import { frameOf, wireOf } from "./frames.js";

const WINDOW = 65_536;
const HELLO = { type: "hello", log: 12, state: "open", offset: 0, line: 1, size: 0, lines: 0, window: WINDOW };

class FakeWebSocket {
  static all = [];
  sent = [];
  closedWith = null;

  constructor(url, protocols) {
    this.url = new URL(url);
    this.protocols = protocols;
    FakeWebSocket.all.push(this);
  }

  static get last() {
    return FakeWebSocket.all.at(-1);
  }

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  close(code) {
    this.closedWith = code;
  }

  text(message) {
    this.onmessage({ data: typeof message === "string" ? message : JSON.stringify(message) });
  }

  hello(change = {}) {
    this.text({ ...HELLO, ...change });
  }

  frame(offset, content) {
    this.onmessage({ data: wireOf(frameOf([[0, content, 0]], { offset })) });
  }

  breaks(code) {
    this.onclose({ code });
  }
}

/** Timers that fire when the test says so. */
class Clock {
  time = 0;
  pending = [];

  setTimeout = (callback, ms) => {
    const timer = { callback, ms };
    this.pending.push(timer);
    return timer;
  };

  clearTimeout = (timer) => {
    this.pending = this.pending.filter((other) => other !== timer);
  };

  now = () => this.time;

  /** Runs the one timer there is; @returns its delay in ms */
  run() {
    assert.equal(this.pending.length, 1, "one timer is set");
    const [timer] = this.pending.splice(0);
    this.time += timer.ms;
    timer.callback();
    return timer.ms;
  }
}

let clock;
let seen;
let socket;

function open(options = {}) {
  const listener = {
    onState: (state) => seen.states.push(state),
    onStart: (hello) => {
      seen.starts.push(hello.line);
      seen.text = "";
    },
    onHello: (hello) => seen.hellos.push(hello),
    onFrame: (frame) => {
      seen.text += new TextDecoder().decode(frame.bytes);
    },
    onSize: (size) => seen.sizes.push(size),
    onFinished: (end) => seen.ends.push(end),
    onError: (error) => seen.errors.push(error),
  };
  const environment = { WebSocket: FakeWebSocket, random: () => 1, ...clock };
  const all = { from: "tail:100000", window: WINDOW, environment, ...options };
  socket = new LogSocket("ws://host/ws/logs/12/", listener, all);
  return FakeWebSocket.last;
}

beforeEach(() => {
  FakeWebSocket.all = [];
  clock = new Clock();
  seen = { states: [], starts: [], hellos: [], sizes: [], ends: [], errors: [], text: "" };
});

test("it asks for the tail with its subprotocol and window", () => {
  const first = open();
  assert.deepEqual(first.protocols, [SUBPROTOCOL]);
  assert.equal(first.binaryType, "arraybuffer");
  assert.equal(first.url.searchParams.get("from"), "tail:100000");
  assert.equal(first.url.searchParams.get("window"), String(WINDOW));
});

test("frames arrive in order and the states are told", () => {
  const first = open();
  first.hello();
  first.frame(0, "one ");
  first.text({ type: "live" });
  first.frame(4, "two");
  assert.equal(seen.text, "one two");
  assert.equal(socket.offset, 7);
  assert.deepEqual(seen.states, ["connecting", "loading", "live"]);
});

test("a tail starts at the offset and line of the hello", () => {
  const first = open();
  first.hello({ offset: 5000, line: 77 });
  first.frame(5000, "x");
  assert.deepEqual(seen.starts, [77]);
  assert.equal(socket.offset, 5001);
});

test("an ack is sent at half a window, not at every frame", () => {
  const first = open();
  first.hello();
  first.frame(0, "x".repeat(WINDOW / 2 - 1));
  assert.deepEqual(first.sent, []);
  first.frame(WINDOW / 2 - 1, "y");
  assert.deepEqual(first.sent, [{ type: "ack", offset: WINDOW / 2 }]);
  first.frame(WINDOW / 2, "z");
  assert.equal(first.sent.length, 1);
});

test("an ack counts only what the listener has taken in", () => {
  const first = open();
  first.hello();
  let sentMeanwhile;
  seen = new Proxy(seen, {
    set(target, key, value) {
      if (key === "text") sentMeanwhile = first.sent.length;
      target[key] = value;
      return true;
    },
  });
  first.frame(0, "x".repeat(WINDOW));
  assert.equal(sentMeanwhile, 0);
  assert.equal(first.sent.length, 1);
});

test("without a window no acks are sent", () => {
  const first = open();
  first.hello({ window: 0 });
  first.frame(0, "x".repeat(WINDOW * 2));
  assert.deepEqual(first.sent, []);
});

for (const code of [1001, 1006, 1011, 1012, 1013]) {
  test(`after close ${code} it goes on from its own offset`, () => {
    const first = open();
    first.hello();
    first.frame(0, "abc");
    first.breaks(code);
    assert.equal(seen.states.at(-1), "waiting");
    clock.run();
    assert.equal(FakeWebSocket.last.url.searchParams.get("from"), "3");
    FakeWebSocket.last.hello({ offset: 3 });
    FakeWebSocket.last.frame(3, "def");
    assert.equal(seen.text, "abcdef");
    assert.equal(seen.starts.length, 1);
  });
}

for (const code of [1000, 4400, 4401, 4403, 4404, 4410]) {
  test(`after close ${code} it does not come back`, () => {
    const first = open();
    first.text({ type: "error", status: code, detail: "because" });
    first.breaks(code);
    assert.equal(seen.states.at(-1), "stopped");
    assert.equal(seen.errors[0].detail, "because");
    assert.deepEqual(clock.pending, []);
  });
}

test("a connection that breaks before its hello asks for the tail again", () => {
  open().breaks(1006);
  clock.run();
  assert.equal(FakeWebSocket.last.url.searchParams.get("from"), "tail:100000");
});

for (const [fault, offset] of Object.entries({ "a hole": 5, "an overlap": 2 })) {
  test(`${fault} in the offsets makes it start again from its own offset`, () => {
    const first = open();
    first.hello();
    first.frame(0, "abc");
    first.frame(offset, "zzz");
    assert.equal(first.closedWith, 4002);
    first.frame(3, "late: this socket was given up");
    assert.equal(seen.text, "abc");
    clock.run();
    assert.equal(FakeWebSocket.last.url.searchParams.get("from"), "3");
  });
}

test("a hello for another offset than it asked for makes it start again", () => {
  const first = open();
  first.hello();
  first.frame(0, "abc");
  first.breaks(1006);
  clock.run();
  FakeWebSocket.last.hello({ offset: 0 });
  assert.equal(FakeWebSocket.last.closedWith, 4002);
  assert.equal(clock.pending.length, 1);
});

for (const [kind, data] of Object.entries({ "a malformed frame": new ArrayBuffer(2), "text that is not JSON": "{" })) {
  test(`${kind} makes it start again, more slowly each time`, () => {
    open();
    const delays = [];
    for (let round = 0; round < 3; round += 1) {
      FakeWebSocket.last.hello();
      FakeWebSocket.last.onmessage({ data });
      delays.push(clock.run());
    }
    assert.deepEqual(delays, [250, 500, 1000]);
  });
}

test("a message of a type it does not know changes nothing", () => {
  const first = open();
  first.hello();
  first.text({ type: "later-invention" });
  first.frame(0, "abc");
  assert.equal(seen.text, "abc");
});

test("reload drops what was sent and starts anew", () => {
  const first = open();
  first.hello();
  first.frame(0, "secret");
  first.text({ type: "reload", reason: "redacted" });
  first.breaks(1012);
  clock.run();
  assert.equal(FakeWebSocket.last.url.searchParams.get("from"), "tail:100000");
  FakeWebSocket.last.hello();
  FakeWebSocket.last.frame(0, "public");
  assert.equal(seen.text, "public");
  assert.equal(seen.starts.length, 2);
});

test("at the finish it acknowledges everything and closes", () => {
  const first = open();
  first.hello();
  first.frame(0, "abc");
  first.text({ type: "logFinished", state: "finished", size: 3, lines: 1, sha256: "…" });
  assert.deepEqual(first.sent, [{ type: "ack", offset: 3 }]);
  assert.equal(first.closedWith, 1000);
  assert.equal(seen.ends[0].lines, 1);
  assert.equal(seen.states.at(-1), "finished");
  first.breaks(1000);
  assert.equal(seen.states.at(-1), "finished");
  assert.deepEqual(clock.pending, []);
});

test("a finish before the last byte is not believed", () => {
  const first = open();
  first.hello();
  first.frame(0, "abc");
  first.text({ type: "logFinished", state: "finished", size: 9, lines: 1 });
  assert.deepEqual(seen.ends, []);
  clock.run();
  assert.equal(FakeWebSocket.last.url.searchParams.get("from"), "3");
});

test("sizes are handed on", () => {
  const first = open();
  first.hello();
  first.text({ type: "size", size: 99, lines: 9 });
  assert.equal(seen.sizes[0].lines, 9);
});

test("progress makes the next wait short again", () => {
  open().breaks(1006);
  assert.equal(clock.run(), 250);
  FakeWebSocket.last.breaks(1006);
  assert.equal(clock.run(), 500);
  FakeWebSocket.last.hello();
  FakeWebSocket.last.frame(0, "abc");
  FakeWebSocket.last.breaks(1006);
  assert.equal(clock.run(), 250);
});

test("a quiet connection that lasted makes the next wait short again", () => {
  open().breaks(1006);
  clock.run();
  FakeWebSocket.last.hello();
  clock.time += 60_000;
  FakeWebSocket.last.breaks(1006);
  assert.equal(clock.run(), 250);
});

test("viewers of a server that goes away come back spread over the first second, then as ever", () => {
  open().hello();
  FakeWebSocket.last.frame(0, "abc");
  FakeWebSocket.last.text({ type: "error", status: 1001, detail: "going away" });
  FakeWebSocket.last.breaks(1001);
  assert.equal(clock.run(), 800);
  FakeWebSocket.last.breaks(1001);
  assert.equal(clock.run(), 500);
  assert.equal(goingAwayDelayMs(() => 0), 0);
});

test("when the network is back it does not wait any longer", () => {
  open().breaks(1006);
  socket.networkIsBack();
  assert.equal(FakeWebSocket.all.length, 2);
  assert.deepEqual(clock.pending, []);
});

test("a connection from before the network went is given up for a new one that goes on", () => {
  const before = open();
  before.hello();
  before.frame(0, "abc");
  socket.networkIsBack();
  assert.equal(before.closedWith, 1000);
  assert.equal(FakeWebSocket.last.url.searchParams.get("from"), "3");
  before.frame(3, "def");
  assert.equal(seen.text, "abc");
  socket.close();
  socket.networkIsBack();
  assert.equal(FakeWebSocket.all.length, 2);
});

test("closing ends it: no timer, no reconnect, nothing heard", () => {
  const first = open();
  first.hello();
  socket.close();
  assert.equal(first.closedWith, 1000);
  first.frame(0, "abc");
  first.breaks(1006);
  assert.equal(seen.text, "");
  assert.deepEqual(clock.pending, []);
});

test("closing while it waits ends the waiting", () => {
  open().breaks(1006);
  socket.close();
  assert.deepEqual(clock.pending, []);
});

test("a paused stream says so, again after each hello, and goes on where it was", () => {
  open({ mostMissed: 1_000 }).hello();
  socket.pause();
  FakeWebSocket.last.text({ type: "size", size: 900, lines: 9 });
  FakeWebSocket.last.breaks(1006);
  socket.networkIsBack();
  FakeWebSocket.last.hello({ size: 900 });
  assert.deepEqual(FakeWebSocket.all.map(({ sent }) => sent), [[{ type: "pause" }], [{ type: "pause" }]]);
  socket.resume();
  assert.deepEqual(FakeWebSocket.last.sent.at(-1), { type: "resume" });
});

test("who missed much begins anew at the end", () => {
  open({ mostMissed: 1_000_000 }).hello();
  socket.pause();
  FakeWebSocket.last.text({ type: "size", size: 5_000_000, lines: 40_000 });
  const before = FakeWebSocket.last;
  socket.resume();
  assert.equal(before.closedWith, 1000);
  assert.equal(FakeWebSocket.last.url.searchParams.get("from"), "tail:100000");
});

test("a pause before the hello is told with it, a resume before it as well", () => {
  open();
  socket.pause();
  assert.deepEqual(FakeWebSocket.last.sent, []);
  socket.resume();
  FakeWebSocket.last.hello();
  assert.deepEqual(FakeWebSocket.last.sent, []);
});

test("who missed much while the connection was away begins anew at the end as well", () => {
  open({ mostMissed: 1_000 }).hello();
  FakeWebSocket.last.frame(0, "abc\n");
  FakeWebSocket.last.breaks(1006);
  clock.run();
  assert.equal(FakeWebSocket.last.url.searchParams.get("from"), "4");
  const before = FakeWebSocket.last;
  before.hello({ offset: 4, line: 2, size: 2_000, lines: 500 });
  assert.deepEqual([before.closedWith, FakeWebSocket.last.url.searchParams.get("from")], [1000, "tail:100000"]);
  FakeWebSocket.last.hello({ offset: 500, line: 130, size: 2_000, lines: 500 });
  assert.deepEqual([seen.starts, FakeWebSocket.all.length, clock.pending.length], [[1, 130], 3, 0]);
});

test("who comes back while it waits need not wait any longer", () => {
  open().hello();
  socket.pause();
  FakeWebSocket.last.breaks(1006);
  clock.time += 90_000;
  socket.resume();
  assert.deepEqual([FakeWebSocket.all.length, clock.pending.length], [2, 0]);
});

test("after more than a minute's pause the connection is made anew, from where the stream stands", () => {
  open().hello();
  FakeWebSocket.last.frame(0, "abc\n");
  const before = FakeWebSocket.last;
  socket.pause();
  clock.time += 59_000;
  socket.resume();
  assert.deepEqual([before.sent.at(-1), before.closedWith], [{ type: "resume" }, null]);
  socket.pause();
  clock.time += 61_000;
  socket.resume();
  assert.deepEqual([before.closedWith, FakeWebSocket.last.url.searchParams.get("from")], [1000, "4"]);
  FakeWebSocket.last.hello({ offset: 4, line: 2, size: 4 });
  assert.deepEqual([FakeWebSocket.last.sent, clock.pending.length], [[], 0]);
});
