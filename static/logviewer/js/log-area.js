import { LogViewer } from "./log-viewer.js";
import { make } from "./elements.js";

/** The part of the build page that shows a log: at most one viewer lives in it. */
export class LogArea {
  #element;
  #viewer = null;
  #shown = null;

  /** Takes over the viewer's element that the server drew, if there is one. */
  constructor(element) {
    this.#element = element;
    const drawn = element.querySelector("[data-log-viewer]");
    if (drawn) {
      this.#viewer = new LogViewer(drawn);
      this.#shown = Number(drawn.dataset.logId);
    }
  }

  /** The id of the log that is shown; null, or the words that stand there, where none is. */
  get shown() {
    return this.#shown;
  }

  /** Whether a log is shown, and it is not this one. */
  showsOther(log) {
    return this.#viewer !== null && log?.id !== this.#shown;
  }

  /**
   * Shows the log, a REST shape, or, where it is null, why there is none: `{text, command}`, the command being what
   * would fill it, or null. `opening()` is asked where a log opens that is not shown yet (see openingOf), or promises it.
   */
  async show(log, opening, reason) {
    const wanted = log?.id ?? reason.text;
    if (wanted === this.#shown) {
      if (log) this.#viewer?.heard(log.state);
      return;
    }
    this.#viewer?.close();
    this.#viewer = null;
    this.#shown = wanted;
    if (log === null) {
      const command = reason.command && make("pre", { class: "command" }, make("code", {}, reason.command));
      this.#element.replaceChildren(make("div", { class: "quiet" }, make("p", {}, reason.text), command));
      return;
    }
    this.#element.replaceChildren();
    const opensAt = await opening();
    if (this.#shown !== wanted || this.#viewer !== null) return; // meanwhile something else was chosen
    const section = make("section", {
      class: "log-viewer",
      "aria-label": `Log ${log.name}`,
      "data-log-viewer": "",
      "data-log-id": log.id,
      "data-socket": `/ws/logs/${log.id}/`,
      "data-raw": log.links.raw,
      "data-state": log.state,
      "data-size": log.size,
      "data-lines": log.lines,
      "data-started": log.started_at,
      "data-completeness": log.completeness,
      "data-omitted": log.omitted,
      "data-sha256": log.sha256,
      "data-opens-at": opensAt,
    });
    this.#element.replaceChildren(section);
    this.#viewer = new LogViewer(section);
  }
}
