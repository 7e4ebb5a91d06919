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

  /** Whether a log is shown, and it is not this one. */
  showsOther(log) {
    return this.#viewer !== null && log?.id !== this.#shown;
  }

  /** Shows the log, a REST shape, or, where it is null, why there is none. */
  show(log, reason) {
    const wanted = log?.id ?? reason;
    if (wanted === this.#shown) {
      if (log) this.#viewer?.heard(log.state);
      return;
    }
    this.#viewer?.close();
    this.#viewer = null;
    this.#shown = wanted;
    if (log === null) {
      this.#element.replaceChildren(make("p", { class: "quiet" }, reason));
      return;
    }
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
    });
    this.#element.replaceChildren(section);
    this.#viewer = new LogViewer(section);
  }
}
