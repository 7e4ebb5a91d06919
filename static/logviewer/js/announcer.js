import { make } from "./elements.js";

/** A region that screen readers speak from when they have a pause: states and matches, never lines of the log. */
export class Announcer {
  #region = make("p", { class: "log-unseen", role: "status", "aria-live": "polite" });

  constructor(viewer) {
    viewer.element.append(this.#region);
    let before = null;
    const speak = ({ detail }) => {
      // What the page began with is on it already.
      if (before !== null && before !== detail.state) this.say(STATES[detail.state] ?? "");
      before = detail.state;
    };
    viewer.element.addEventListener("log:state", speak, { signal: viewer.signal });
  }

  say(text) {
    // The same words again are spoken again only if the text changes.
    this.#region.textContent = text === this.#region.textContent && text !== "" ? `${text}\u00a0` : text;
  }
}

/** What is worth a word by itself; what passes at the beginning is not. */
const STATES = {
  silent: "The writer of the log is silent.",
  reconnecting: "Reconnecting to the log.",
  offline: "Offline. The log goes on when the network is back.",
  finished: "The log is finished.",
  stopped: "The log cannot be shown any further.",
};
