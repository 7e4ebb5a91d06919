import { completenessOf } from "./completeness.js";
import { make } from "./elements.js";
import { createIcon } from "./icons.js";


/**
 * Says in the toolbar how sure it is that all of the log is here. What the page knew when it was made stands in the
 * element (`data-completeness`, `data-omitted`, `data-sha256`); when the log ends it is asked for.
 */
export class LogFacts {
  #viewer;
  #element = make("span", { class: "log-facts" });
  #known;
  #shown = "";

  /** @param {LogViewer} viewer */
  constructor(viewer) {
    this.#viewer = viewer;
    const { dataset } = viewer.element;
    this.#known = {
      completeness: dataset.completeness || null,
      omitted: Number(dataset.omitted) || 0,
      sha256: dataset.sha256 || null,
    };
    viewer.view.tools.before(this.#element);
    const { signal } = viewer;
    viewer.element.addEventListener("log:state", () => this.#told(), { signal });
    viewer.element.addEventListener("log:rows", () => this.#show(), { signal });
    this.#told();
  }

  async #told() {
    this.#show();
    if (this.#viewer.log.state !== "finished" || this.#known.completeness !== null) return;
    try {
      const response = await fetch(`/api/v1/logs/${this.#viewer.log.id}`, { signal: this.#viewer.signal });
      if (response.ok) this.#known = await response.json();
    } catch {
      return; // closed, or offline: it is not known, and nothing is said
    }
    this.#show();
  }

  #show() {
    const { log, store } = this.#viewer;
    const finished = log.state === "finished";
    if (log.state === "open" || (finished && this.#known.completeness === null)) return this.#say(null);
    const lastTime = store.channels === null ? (store.line(store.total)?.time ?? null) : null;
    return this.#say(completenessOf({ ...this.#known, state: log.state }, lastTime, Date.now()));
  }

  #say(words) {
    const key = words === null ? "" : `${words.level} ${words.text}`;
    if (key === this.#shown) return;
    this.#shown = key;
    this.#element.replaceChildren();
    if (words === null) return;
    this.#element.dataset.level = words.level;
    this.#element.title = [words.text, words.detail].filter(Boolean).join(". ");
    this.#element.append(createIcon(document, words.level)); // without it a narrow toolbar would say nothing
    this.#element.append(make("span", { class: "log-facts-text" }, words.text));
  }
}
