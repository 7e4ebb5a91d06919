import { decodeFrame } from "./frame.js";
import { retryDelayMs } from "./retry.js";

export const SUBPROTOCOL = "buildlogs.v1";
export const WINDOW_BYTES = 1_048_576;

const DELAYS = { first: 250, longest: 30_000 };
/** A connection that lasted this long was a good one: the next failure starts the backoff anew. */
const STEADY_AFTER_MS = 5_000;

const NORMAL_CLOSE = 1000;
/** A connection that nobody looked at for so long may have died unheard: sockets do not tell while a machine sleeps. */
const STALE_AFTER_MS = 60_000;
/** The server ends, and with it the connections of everybody at the same moment. */
export const GOING_AWAY = 1001;
const GOING_AWAY_SPREAD_MS = 800;
/** What a client may say when the server broke the protocol: 3000–4999 are for applications (RFC 6455, 7.4.2). */
const CLIENT_SAW_NONSENSE = 4002;

const isFinal = (code) => code === NORMAL_CLOSE || (code >= 4400 && code < 4500);

/** The wait after `GOING_AWAY`: another process is there, or this one soon is, but not for a thousand at once. */
export const goingAwayDelayMs = (random) => GOING_AWAY_SPREAD_MS * random();

const browser = () => ({
  WebSocket: globalThis.WebSocket,
  setTimeout: (callback, ms) => globalThis.setTimeout(callback, ms),
  clearTimeout: (timer) => globalThis.clearTimeout(timer),
  now: () => Date.now(),
  random: Math.random,
});

/**
 * One log's stream over as many connections as it takes: whatever breaks, `listener.onFrame` sees each byte once, in
 * order. A frame counts as consumed, and is acknowledged, when `onFrame` has returned; nothing is queued here.
 *
 * The listener has `onState(state)` with `connecting`, `loading`, `live`, `waiting`, `finished` or `stopped`,
 * `onStart({offset, line, state, size, lines})` when a stream begins from nothing (drop what is there),
 * `onReload()` when what was sent is void, `onHello(hello)`, `onFrame(frame)`, `onSize({size, lines})`, `onFinished({state, size, lines, sha256})` and
 * `onError({status, detail})`.
 */
export class LogSocket {
  #url;
  #from;
  #window;
  #mostMissed;
  #listener;
  #environment;
  #socket = null;
  #timer = null;
  #attempt = 0;
  #openedAt = 0;
  #progressed = false;
  #offset = null;
  #acknowledged = 0;
  #grant = 0;
  #over = false;
  #paused = false;
  #pausedAt = 0;
  #size = 0;
  #greeted = false;

  /**
   * @param {string} url absolute `ws:` or `wss:` address without a query
   * @param {object} listener see the class
   * @param {{from?: string, window?: number, mostMissed?: number, environment?: object}} options `from` is a byte offset
   *   or `tail:N`; where more than `mostMissed` bytes came meanwhile the stream starts there anew, by `onStart`
   */
  constructor(url, listener, options = {}) {
    const { from = "0", window = WINDOW_BYTES, mostMissed = Infinity, environment = browser() } = options;
    this.#url = url;
    this.#from = from;
    this.#window = window;
    this.#mostMissed = mostMissed;
    this.#listener = listener;
    this.#environment = environment;
    this.#connect();
  }

  /** The offset before which everything has been consumed; null before the first hello. */
  get offset() {
    return this.#offset;
  }

  /** Connect now: what was being waited for may come, and a connection from before the network went died unheard. */
  networkIsBack() {
    if (this.#timer !== null) this.#retryNow();
    else if (this.#socket !== null) this.#connectAnew();
  }

  #retryNow() {
    this.#environment.clearTimeout(this.#timer);
    this.#connect();
  }

  /** Have only sizes sent, until `resume`. */
  pause() {
    this.#paused = true;
    this.#pausedAt = this.#environment.now();
    this.#tellPause();
  }

  /** Go on from where `pause` came, at once. */
  resume() {
    const stale = this.#paused && this.#environment.now() - this.#pausedAt > STALE_AFTER_MS;
    this.#paused = false;
    if (this.#timer !== null) this.#retryNow();
    else if (this.#greeted && this.#missed(this.#size)) this.#startAnew();
    else if (stale && this.#socket !== null) this.#connectAnew();
    else if (this.#greeted) this.#send({ type: "resume" });
  }

  close() {
    this.#over = true;
    if (this.#timer !== null) this.#environment.clearTimeout(this.#timer);
    this.#timer = null;
    this.#drop(NORMAL_CLOSE);
  }

  /** Whether too much came, up to byte `size`, to be read from where the stream stands. */
  #missed(size) {
    return size - this.#offset > this.#mostMissed;
  }

  #startAnew() {
    this.#offset = null;
    this.#connectAnew();
  }

  #connectAnew() {
    this.#drop(NORMAL_CLOSE);
    this.#connect();
  }

  #connect() {
    this.#timer = null;
    this.#progressed = false;
    this.#openedAt = this.#environment.now();
    this.#listener.onState("connecting");
    const from = this.#offset === null ? this.#from : String(this.#offset);
    const query = new URLSearchParams({ from, window: String(this.#window) });
    const socket = new this.#environment.WebSocket(`${this.#url}?${query}`, [SUBPROTOCOL]);
    socket.binaryType = "arraybuffer";
    // A socket that was given up may still deliver: only the present one is heard.
    const heard = (handler) => (event) => {
      if (socket === this.#socket) handler(event);
    };
    socket.onmessage = heard((event) => this.#receive(event.data));
    socket.onclose = heard((event) => this.#closed(event.code));
    this.#socket = socket;
  }

  #receive(data) {
    try {
      if (typeof data === "string") this.#receiveText(JSON.parse(data));
      else this.#receiveFrame(decodeFrame(data));
    } catch (error) {
      if (error.name !== "MalformedFrame" && !(error instanceof SyntaxError)) throw error;
      this.#startOver();
    }
  }

  #receiveText(message) {
    switch (message.type) {
      case "hello":
        return this.#hello(message);
      case "live":
        return this.#listener.onState("live");
      case "size":
        this.#size = message.size;
        return this.#listener.onSize(message);
      case "logFinished":
        return this.#finish(message);
      case "reload":
        this.#offset = null;
        this.#listener.onReload?.();
        return this.#startOver(NORMAL_CLOSE);
      case "error":
        return this.#listener.onError(message);
      default:
        return undefined;
    }
  }

  #hello(hello) {
    if (this.#offset === null) {
      this.#offset = hello.offset;
      this.#listener.onStart(hello);
    } else if (hello.offset !== this.#offset) {
      return this.#startOver();
    } else if (this.#missed(hello.size)) {
      return this.#startAnew();
    }
    this.#greeted = true;
    this.#acknowledged = this.#offset;
    this.#size = hello.size;
    this.#grant = hello.window;
    this.#listener.onState("loading");
    this.#listener.onHello(hello);
    if (this.#paused) this.#tellPause();
  }

  /** Before a hello there is nothing to pause; it is told with that. */
  #tellPause() {
    if (this.#greeted) this.#send({ type: "pause" });
  }

  #send(message) {
    this.#socket.send(JSON.stringify(message));
  }

  #receiveFrame(frame) {
    if (frame.offset !== this.#offset) return this.#startOver();
    this.#listener.onFrame(frame);
    this.#offset += frame.bytes.length;
    this.#progressed = true;
    if (this.#grant > 0 && this.#offset - this.#acknowledged >= this.#grant / 2) this.#acknowledge();
  }

  #acknowledge() {
    this.#send({ type: "ack", offset: this.#offset });
    this.#acknowledged = this.#offset;
  }

  #finish(message) {
    if (message.size !== this.#offset) return this.#startOver();
    this.#over = true;
    this.#acknowledge();
    this.#listener.onFinished(message);
    this.#listener.onState("finished");
    this.#drop(NORMAL_CLOSE);
  }

  #closed(code) {
    this.#socket = null;
    this.#greeted = false;
    if (isFinal(code)) {
      this.#over = true;
      this.#listener.onState("stopped");
    } else {
      this.#retryLater(code);
    }
  }

  /** The connection is of no use: leave it, and go on from our own offset. */
  #startOver(code = CLIENT_SAW_NONSENSE) {
    this.#drop(code);
    this.#progressed = false;
    this.#openedAt = this.#environment.now();
    this.#retryLater();
  }

  #retryLater(code = null) {
    if (this.#over) return;
    const steady = this.#progressed || this.#environment.now() - this.#openedAt >= STEADY_AFTER_MS;
    if (steady) this.#attempt = 0;
    const { random } = this.#environment;
    const told = code === GOING_AWAY && this.#attempt === 0;
    const delay = told ? goingAwayDelayMs(random) : retryDelayMs(this.#attempt, { ...DELAYS, random });
    this.#attempt += 1;
    this.#listener.onState("waiting");
    this.#timer = this.#environment.setTimeout(() => this.#connect(), delay);
  }

  #drop(code) {
    const socket = this.#socket;
    this.#socket = null;
    this.#greeted = false;
    socket?.close(code);
  }
}
