import { showElapsed } from "./clock.js";
import { make, makeIcon, makeStatus } from "./elements.js";
import { errorText } from "./first-error.js";
import { faviconName, firstFailed, isBad, openLogs, statusWord, stepsListed } from "./build-state.js";

/**
 * Draws the build page's parts into the document. It changes only what differs, so that focus, scroll place and the
 * turning of an icon survive an event.
 */

/** How long it has taken; what was abandoned, up to when its writer was last heard. */
function makeElapsed(noun, heard) {
  const last = noun.state === "abandoned" && heard !== null ? new Date(heard).toISOString() : null;
  const element = make("time", { "data-started": noun.started_at, "data-finished": noun.finished_at ?? last });
  showElapsed(element);
  return element;
}

/** What of a step is drawn, as one string: the same string needs no new drawing. */
const drawing = (...parts) => JSON.stringify(parts);

export class BuildView {
  #head = document.querySelector("[data-build]");
  #steps = document.getElementById("steps");
  #drawn = new Map();
  #heard = null;

  constructor() {
    this.#steps.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest" });
  }

  get sprite() {
    return this.#head.dataset.sprite;
  }

  /** `heard` is when the writer of an abandoned build was last heard. */
  showHead(build, heard) {
    this.#heard = heard;
    const word = statusWord(build);
    this.#once("status", drawing(word), () => {
      document.getElementById("build-status").replaceChildren(makeStatus(this.sprite, word, "pill"));
      const { builder, number, project } = this.#head.dataset;
      document.title = `${word} · ${builder} #${number} · ${project}`;
      this.#showFavicon(word);
    });
    this.#once("title", build.title, () => {
      const title = document.getElementById("build-title");
      title.textContent = build.title || this.#head.dataset.builder;
      title.title = build.title;
    });
    this.#once("elapsed", drawing(word, build.started_at, build.finished_at), () => {
      document.getElementById("build-elapsed").replaceChildren(makeElapsed(build, heard));
    });
    this.#showFailed(build.steps);
    document.getElementById("silent").hidden = build.state !== "abandoned";
    const late = build.state === "finished" ? openLogs(build) : 0;
    document.getElementById("late-logs").hidden = late === 0;
    document.getElementById("late-count").textContent = late;
  }

  /** Names the first step that went wrong, and counts the others. */
  #showFailed(steps) {
    const failed = firstFailed(steps);
    const others = steps.filter(isBad).length - 1;
    this.#once("failed", drawing(failed?.number, failed?.name, others), () => {
      const element = document.getElementById("failed");
      element.hidden = failed === null;
      if (failed === null) return;
      const [link, more] = element.children;
      link.textContent = failed.name;
      link.href = `?step=${failed.number}`;
      more.textContent = others > 0 ? `and ${others} more` : "";
    });
  }

  /** Whose error the page tells: `{step, log}`, the step's number and the log's slug, or null. */
  get toldError() {
    const element = document.getElementById("first-error");
    if (element.hidden) return null;
    const { searchParams } = new URL(element.querySelector("a").href);
    return { step: searchParams.get("step"), log: searchParams.get("log") };
  }

  /** Tells the error, a mark of the step's log, and leads to its line. */
  showError(step, log, error) {
    const element = document.getElementById("first-error");
    const link = element.querySelector("a");
    link.textContent = errorText(error);
    link.href = `?step=${step.number}&log=${encodeURIComponent(log.slug)}#L${error.n}`;
    element.hidden = false;
  }

  #showFavicon(word) {
    const name = faviconName(word);
    const { dataset } = this.#head;
    const addresses = { running: dataset.faviconRunning, failed: dataset.faviconFailed, success: dataset.faviconSuccess };
    document.querySelector("link[rel=icon]").href = addresses[name] ?? dataset.favicon;
  }

  showSteps(build, chosen) {
    const none = document.getElementById("no-steps");
    none.hidden = build.steps.length > 0;
    none.textContent = build.state === "running" ? "Waiting for the first step." : "This build had no steps.";
    const { first, end } = stepsListed(build.steps.length, chosen && build.steps.indexOf(chosen));
    build.steps.slice(first, end).forEach((step, place) => this.#showStep(step, place, step === chosen));
    while (this.#steps.children.length > end - first) this.#steps.lastElementChild.remove();
    this.#showRange("steps-before", build.steps, first - 1);
    this.#showRange("steps-after", build.steps, end);
  }

  /** Leads to the part of the steps that the one at `place` lies in, if there is one. */
  #showRange(id, steps, place) {
    const link = document.getElementById(id);
    link.hidden = steps[place] === undefined;
    if (link.hidden) return;
    const { first, end } = stepsListed(steps.length, place);
    link.href = `?step=${steps[first].number}`;
    const text = `Steps ${steps[first].number} to ${steps[end - 1].number} of ${steps.length}`;
    if (link.textContent !== text) link.textContent = text;
  }

  #showStep(step, place, isChosen) {
    const item = this.#steps.children[place] ?? this.#steps.appendChild(make("li", {}, make("a", { class: "step" })));
    const link = item.firstElementChild;
    const word = statusWord(step);
    const what = drawing(step.id, step.name, word, step.started_at, step.finished_at);
    if (link.dataset.drawn !== what) {
      link.dataset.drawn = what;
      link.href = `?step=${step.number}`;
      const name = make("span", { class: "name outside", title: step.name }, step.name);
      link.replaceChildren(makeStatus(this.sprite, word), name, makeElapsed(step, this.#heard));
    }
    if (isChosen && !link.hasAttribute("aria-current")) link.scrollIntoView({ block: "nearest" });
    if (isChosen) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }

  showPaneHead(step, log) {
    const head = document.getElementById("pane-head");
    if (step === null) {
      head.replaceChildren();
      return;
    }
    const word = statusWord(step);
    const logs = step.logs.map((each) => [each.slug, each.name]);
    this.#once("pane", drawing(step.id, step.name, word, step.started_at, step.finished_at, logs, log?.id), () => {
      const tabs = step.logs.map((each) => {
        const address = `?step=${step.number}&log=${encodeURIComponent(each.slug)}`;
        return make("a", { class: "tab outside", href: address, "aria-current": each === log && "true" }, each.name);
      });
      head.replaceChildren(
        makeStatus(this.sprite, word),
        make("h2", { class: "outside", title: step.name }, step.name),
        make("span", { class: "soft small" }, makeElapsed(step, this.#heard)),
        make("nav", { class: "tabs", "aria-label": "Logs of the step" }, ...tabs),
      );
      if (log) head.append(this.#widen(log));
    });
  }

  #widen(log) {
    const about = { class: "button bare push", href: log.url, title: "This log on a page of its own" };
    return make("a", about, makeIcon(this.sprite, "widen"), make("span", {}, "Full width"));
  }

  /** Says how the page hears of its build: `live`, `away`, or `ended` (nothing more can come, or nothing may). */
  showConnection(state, build) {
    const element = document.getElementById("connection");
    const words = { live: "live", away: "reconnecting…", ended: "no longer live" };
    element.hidden = state === "ended" && build?.state === "finished";
    element.dataset.state = state;
    if (element.textContent !== words[state]) element.textContent = words[state];
  }

  #once(part, what, draw) {
    if (this.#drawn.get(part) === what) return;
    this.#drawn.set(part, what);
    draw();
  }
}
