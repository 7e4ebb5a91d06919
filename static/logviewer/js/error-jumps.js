import { make } from "./elements.js";
import { createIcon } from "./icons.js";

const count = (number) => number.toLocaleString("en");
const NAMES = { error: ["error", "errors"], warning: ["warning", "warnings"] };

/** Rows that are errors or warnings, how many there are, and the way from one to the next. */
export class ErrorJumps {
  #viewer;
  #marks;
  #announcer;
  #go;
  #counter;
  #word;
  #group;
  #current = null;
  #jumps = Promise.resolve();

  /**
   * @param {LogViewer} viewer
   * @param {{marks: LogMarks, announcer: object, scrollMarks: object, go: Function}} others
   */
  constructor(viewer, { marks, announcer, scrollMarks, go }) {
    this.#viewer = viewer;
    this.#marks = marks;
    this.#announcer = announcer;
    this.#go = go;
    this.#group = this.#make();
    viewer.view.tools.prepend(this.#group);
    viewer.addDecorator({ row: (element, line) => this.#decorate(element, line) });
    const changed = () => {
      scrollMarks.set("error", marks.errors.numbers("error"));
      scrollMarks.set("warning", marks.errors.numbers("warning"));
      this.#show();
      viewer.redecorate();
    };
    marks.addEventListener("change", changed, { signal: viewer.signal });
  }

  next() {
    this.#jumpInTurn("next");
  }

  previous() {
    this.#jumpInTurn("previous");
  }

  /** Who presses fast goes on from where the last press led, also before that is drawn. */
  #jumpInTurn(direction) {
    this.#jumps = this.#jumps.then(() => this.#jump(direction));
  }

  #make() {
    this.#counter = make("span", { class: "log-error-count" });
    this.#word = make("span", { class: "log-error-word" });
    const main = make("button", { class: "log-button", type: "button", title: "Next error (F8)" });
    main.append(createIcon(document, "error"), this.#counter, this.#word);
    const back = make("button", { class: "log-button log-icon-button", type: "button", "aria-label": "Error before" });
    back.title = "Error before (Shift-F8)";
    back.append(createIcon(document, "up"));
    const { signal } = this.#viewer;
    main.addEventListener("click", () => this.next(), { signal });
    back.addEventListener("click", () => this.previous(), { signal });
    return make("span", { class: "log-errors", hidden: "" }, main, back);
  }

  #show() {
    const { errors, counts } = this.#marks;
    const all = Math.max(errors.count, counts[errors.level === "error" ? "errors" : "warnings"] ?? 0);
    this.#group.hidden = errors.count === 0;
    this.#group.dataset.level = errors.level;
    const rank = this.#current === null ? 0 : errors.rank(this.#current);
    const [one, many] = NAMES[errors.level];
    this.#counter.textContent = rank > 0 ? `${count(rank)} of ${count(all)}` : count(all);
    this.#word.textContent = all === 1 ? one : many;
  }

  /** From the one shown last, as long as it is in view; else from the edge of what is in view. */
  #from(direction) {
    const [first, last] = [this.#viewer.firstVisible() ?? 1, this.#viewer.lastVisible() ?? 1];
    if (this.#current !== null && this.#current >= first && this.#current <= last) return this.#current;
    return direction === "next" ? first - 1 : last + 1;
  }

  async #jump(direction) {
    const { errors } = this.#marks;
    const line = errors[direction](this.#from(direction));
    if (line === null) {
      this.#announcer.say("No errors are known in this log");
      return;
    }
    this.#current = line;
    await this.#go(line);
    this.#show();
    this.#viewer.redecorate();
    const { level, text } = errors.at(line);
    const which = `${NAMES[level][0]} ${count(errors.rank(line))} of ${count(errors.count)}`;
    this.#announcer.say(`${which}, line ${count(line)}: ${text}`);
  }

  #decorate(element, line) {
    const level = this.#marks.errors.at(line.number)?.level;
    element.classList.toggle("log-row-error", level === "error");
    element.classList.toggle("log-row-warning", level === "warning");
    if (line.number === this.#current) element.classList.add("log-row-current");
  }
}
