/**
 * The connection to `/ws/builds/{id}/`: JSON in, JSON out, and back again after every loss until it makes no sense.
 */

import { GOING_AWAY, goingAwayDelayMs } from "./log-socket.js";

const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 15000;
/** Bad request, not signed in, not allowed, not there, deleted: asking again would not help. */
const FINAL_CODES = new Set([4400, 4401, 4403, 4404, 4410]);

/** How long to wait before the attempt; full jitter, so that a restarted server is not met by everybody at once. */
export function reconnectDelay(attempt, random = Math.random) {
  const most = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** attempt);
  return most / 4 + random() * most * 0.75;
}

export class BuildSocket {
  #address;
  #onMessage;
  #onState;
  #socket = null;
  #attempt = 0;
  #timer = null;
  #closed = false;

  /** `onMessage` takes parsed messages; `onState` takes `live`, `away` or `ended`. */
  constructor(address, { onMessage, onState }) {
    this.#address = address;
    this.#onMessage = onMessage;
    this.#onState = onState;
    addEventListener("online", () => this.#hurry());
    document.addEventListener("visibilitychange", () => document.hidden || this.#hurry());
    this.#open();
  }

  send(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  /** Ends the connection for good. */
  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket?.close(1000);
    this.#onState("ended");
  }

  #open() {
    this.#timer = null;
    const socket = new WebSocket(new URL(this.#address, location.href.replace(/^http/, "ws")));
    this.#socket = socket;
    socket.onmessage = ({ data }) => {
      if (this.#closed) return;
      const message = JSON.parse(data);
      if (message.type === "error") return; // the close that follows says what to do; nothing is live by it
      this.#attempt = 0;
      this.#onState("live");
      this.#onMessage(message);
    };
    socket.onclose = ({ code }) => {
      if (this.#closed) return;
      if (FINAL_CODES.has(code)) this.close();
      else this.#retry(code);
    };
  }

  #retry(code) {
    this.#onState("away");
    const told = code === GOING_AWAY && this.#attempt === 0;
    const delay = told ? goingAwayDelayMs(Math.random) : reconnectDelay(this.#attempt);
    this.#attempt += 1;
    this.#timer = setTimeout(() => this.#open(), delay);
  }

  #hurry() {
    if (this.#timer === null || this.#closed) return;
    clearTimeout(this.#timer);
    this.#open();
  }
}
