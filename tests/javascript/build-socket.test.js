import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";

class FakeWebSocket {
  static OPEN = 1;
  static all = [];

  constructor(url) {
    this.url = String(url);
    FakeWebSocket.all.push(this);
  }

  static get last() {
    return FakeWebSocket.all.at(-1);
  }

  close() {}

  text(message) {
    this.onmessage({ data: JSON.stringify(message) });
  }

  breaks(code) {
    this.onclose({ code });
  }
}

globalThis.WebSocket = FakeWebSocket;
globalThis.location = new URL("https://logs.example.org/p/demo/linux/1/");
globalThis.document = Object.assign(new EventTarget(), { hidden: false });
const page = new EventTarget();
globalThis.addEventListener = page.addEventListener.bind(page);

const { BuildSocket } = await import("../../static/logviewer/js/build-socket.js");

let seen;

function open() {
  new BuildSocket("/ws/builds/7/", {
    onMessage: (message) => seen.messages.push(message.type),
    onState: (state) => seen.states.push(state),
  });
  return FakeWebSocket.last;
}

beforeEach(() => {
  FakeWebSocket.all = [];
  seen = { messages: [], states: [] };
  mock.reset();
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout"] });
  mock.method(Math, "random", () => 1);
});

test("it speaks to the page's own server", () => {
  assert.equal(open().url, "wss://logs.example.org/ws/builds/7/");
});

test("a server that goes away is asked again within a second", () => {
  const first = open();
  first.text({ type: "snapshot" });
  first.text({ type: "error", status: 1001, detail: "going away" });
  first.breaks(1001);
  assert.deepEqual(seen, { messages: ["snapshot"], states: ["live", "away"] });
  mock.timers.tick(799);
  assert.equal(FakeWebSocket.all.length, 1);
  mock.timers.tick(1);
  assert.equal(FakeWebSocket.all.length, 2);
  FakeWebSocket.last.text({ type: "snapshot" });
  assert.equal(seen.states.at(-1), "live");
});

test("a server that only says try later is asked less and less often", () => {
  open();
  for (const wait of [500, 1000, 2000]) {
    const before = FakeWebSocket.all.length;
    FakeWebSocket.last.text({ type: "error", status: 1013, detail: "the database is away" });
    FakeWebSocket.last.breaks(1013);
    mock.timers.tick(wait - 1);
    assert.equal(FakeWebSocket.all.length, before);
    mock.timers.tick(1);
    assert.equal(FakeWebSocket.all.length, before + 1);
  }
  assert.deepEqual(new Set(seen.states), new Set(["away"]));
});

for (const code of [4400, 4401, 4403, 4404, 4410]) {
  test(`after close ${code} it does not come back`, () => {
    open().breaks(code);
    mock.timers.tick(60_000);
    assert.equal(FakeWebSocket.all.length, 1);
    assert.deepEqual(seen.states, ["ended"]);
  });
}

test("a connection from before the network went is given up for a new one", () => {
  const first = open();
  first.text({ type: "snapshot" });
  page.dispatchEvent(new Event("online"));
  assert.equal(FakeWebSocket.all.filter((each) => each.onmessage !== null).at(-1), FakeWebSocket.last);
  assert.notEqual(FakeWebSocket.last, first);
  assert.deepEqual([first.onmessage, first.onclose], [null, null]);
  FakeWebSocket.last.text({ type: "snapshot" });
  assert.deepEqual(seen, { messages: ["snapshot", "snapshot"], states: ["live", "live"] });
});
