import { make } from "./elements.js";
import { CHANNELS } from "./filters.js";

/** Says that lines are missing because channels are, so that nobody forgets, and brings them back. */
export class FilterNotice {
  #viewport;
  #bar;
  #text = make("span", {});

  /** @param {() => void} showAll */
  constructor(viewer, showAll) {
    this.#viewport = viewer.view.viewport;
    const all = make("button", { class: "log-button", type: "button" }, "Show all");
    all.addEventListener("click", showAll, { signal: viewer.signal });
    this.#bar = make("div", { class: "log-bar log-filter", hidden: "" }, this.#text, all);
    viewer.view.panels.append(this.#bar);
  }

  /** @param {number[] | null} channels that are shown */
  show(channels) {
    if (channels === null && this.#bar.contains(document.activeElement)) this.#viewport.focus({ preventScroll: true });
    this.#bar.hidden = channels === null;
    if (channels === null) return;
    const names = CHANNELS.filter(({ channel }) => channels.includes(channel)).map(({ name }) => name);
    this.#text.textContent = `Only lines of ${names.join(" and ")} are shown, with their own numbers.`;
  }
}
