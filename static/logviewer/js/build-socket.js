/**
 * The connection to `/ws/builds/{id}/`: JSON in, JSON out, and back again after every loss until it makes no sense.
 */

import { GOING_AWAY, goingAwayDelayMs } from "./log-socket.js";
import { retryDelayMs } from "./retry.js";

const DELAYS = { first: 500, longest: 15_000 };
/** Bad request, not signed in, not allowed, not there, deleted: asking again would not help. */
const FINAL_CODES = new Set([4400, 4401, 4403, 4404, 4410]);

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
    addEventListener("online", () => this.#networkIsBack());
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
    const delay = told ? goingAwayDelayMs(Math.random) : retryDelayMs(this.#attempt, DELAYS);
    this.#attempt += 1;
    this.#timer = setTimeout(() => this.#open(), delay);
  }

  /** What was being waited for may come, and a connection from before the network went died unheard. */
  #networkIsBack() {
    if (this.#closed) return;
    if (this.#timer === null) {
      this.#socket.onmessage = this.#socket.onclose = null;
      this.#socket.close(1000);
      this.#open();
    }
    this.#hurry();
  }

  #hurry() {
    if (this.#timer === null || this.#closed) return;
    clearTimeout(this.#timer);
    this.#open();
  }
}
