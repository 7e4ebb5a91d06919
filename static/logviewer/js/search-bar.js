import { make } from "./elements.js";
import { channelsParameter } from "./filters.js";
import { createIcon } from "./icons.js";
import { lineText } from "./rows.js";
import { Search, SearchRefused } from "./search.js";

/** So long nothing is typed before it is searched for. */
const TYPING_MS = 160;
/** What the server takes (MAX_QUERY_CHARACTERS). */
const MAX_CHARACTERS = 1_000;
/** Highlights in one line. */
const MAX_SEGMENTS = 500;

const count = (number) => number.toLocaleString("en");

/** `GET …/search` of one log, as Search wants it. */
function asker(id) {
  return async (parameters, signal) => {
    const response = await fetch(`/api/v1/logs/${id}/search?${new URLSearchParams(parameters)}`, { signal });
    if (response.ok) return response.json();
    const problem = await response.json().catch(() => ({}));
    if (response.status === 400) throw new SearchRefused(problem.detail ?? "This cannot be searched for.");
    if (response.status === 503) throw new SearchRefused("The server has too many searches at the moment.");
    throw new Error(`search answered ${response.status}`);
  };
}

/** Where `text` occurs in a line; the server's answer is of use only for the lines it is about. */
function literalSegments(pattern, text) {
  const segments = [];
  for (const match of text.matchAll(pattern)) {
    segments.push({ from: match.index, to: match.index + match[0].length, className: "log-hit" });
    if (segments.length === MAX_SEGMENTS) break;
  }
  return segments;
}

/** The bar under the toolbar that searches the whole log: on the server, wherever the reader is. */
export class SearchBar {
  #viewer;
  #announcer;
  #marks;
  #go;
  #search;
  #input;
  #count;
  #case;
  #regex;
  #timer = null;
  #pattern = null;
  #current = null;
  #linesSeen = 0;
  #steps = Promise.resolve();

  /**
   * @param {LogViewer} viewer
   * @param {{announcer: object, scrollMarks: object, go: (line: number) => Promise<void>}} others
   */
  constructor(viewer, { announcer, scrollMarks, go }) {
    this.#viewer = viewer;
    this.#announcer = announcer;
    this.#marks = scrollMarks;
    this.#go = go;
    this.#search = new Search(asker(viewer.log.id), () => viewer.log.lines, () => this.#changed());
    this.element = this.#make();
    viewer.view.panels.append(this.element);
    viewer.addDecorator({
      segments: (line) => this.#segments(line),
      row: (element, line) => this.#decorate(element, line),
    });
    const { signal } = viewer;
    signal.addEventListener("abort", () => this.#stop());
    viewer.element.addEventListener("log:rows", ({ detail }) => this.#inView(detail), { signal });
  }

  get isOpen() {
    return !this.element.hidden;
  }

  /** Who searches reads: what comes does not take them to the end. */
  open() {
    this.#viewer.setFollow(false);
    this.element.hidden = false;
    this.#input.focus();
    this.#input.select();
    if (this.#search.query === null && this.#input.value !== "") this.#start();
  }

  close() {
    const hadFocus = this.element.contains(document.activeElement);
    this.element.hidden = true;
    this.#stop();
    if (hadFocus) this.#viewer.view.viewport.focus();
  }

  /** The channels are others: so are the matches. */
  restart() {
    if (this.#search.query !== null) this.#start();
  }

  next() {
    this.#stepInTurn("next");
  }

  previous() {
    this.#stepInTurn("previous");
  }

  // What the reader types

  #make() {
    this.#input = make("input", {
      class: "log-search-text",
      type: "search",
      "aria-label": "Search the whole log",
      placeholder: "Search the whole log",
      maxlength: MAX_CHARACTERS,
      autocomplete: "off",
      autocapitalize: "off",
      spellcheck: "false",
      enterkeyhint: "search",
    });
    this.#count = make("span", { class: "log-search-count" });
    this.#case = this.#toggle("Aa", "Match case");
    this.#regex = this.#toggle(".*", "Regular expression (RE2)");
    const bar = make(
      "form",
      { class: "log-bar log-search", role: "search", hidden: "" },
      make("span", { class: "log-search-field" }, createIcon(document, "search"), this.#input, this.#case, this.#regex),
      this.#count,
      this.#button("up", "Match before (N)", () => this.previous()),
      this.#button("down", "Next match (n)", () => this.next()),
      this.#button("close", "Close the search (Esc)", () => this.close()),
    );
    const { signal } = this.#viewer;
    bar.addEventListener("submit", (event) => event.preventDefault(), { signal });
    bar.addEventListener("keydown", (event) => this.#pressed(event), { signal });
    this.#input.addEventListener("input", () => this.#startSoon(), { signal });
    return bar;
  }

  #button(icon, name, act) {
    const named = { title: name, "aria-label": name };
    const button = make("button", { class: "log-button log-icon-button", type: "button", ...named });
    button.append(createIcon(document, icon));
    button.addEventListener("click", act, { signal: this.#viewer.signal });
    return button;
  }

  #toggle(label, name) {
    const state = { title: name, "aria-label": name, "aria-pressed": "false" };
    const button = make("button", { class: "log-toggle", type: "button", ...state }, label);
    const turn = () => {
      button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true"));
      this.#start();
    };
    button.addEventListener("click", turn, { signal: this.#viewer.signal });
    return button;
  }

  #pressed(event) {
    if (event.key === "Escape") this.close();
    else if (event.key === "Enter" && event.target === this.#input) this.#entered(event.shiftKey);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** Enter does not wait for the end of typing. */
  #entered(back) {
    if (this.#timer !== null || this.#search.query === null) this.#start();
    else this.#stepInTurn(back ? "previous" : "next");
  }

  #startSoon() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#start(), TYPING_MS);
  }

  // What is searched for

  async #start() {
    clearTimeout(this.#timer);
    this.#timer = null;
    const query = {
      text: this.#input.value,
      regex: this.#regex.getAttribute("aria-pressed") === "true",
      case: this.#case.getAttribute("aria-pressed") === "true",
      channels: channelsParameter(this.#viewer.store.channels),
    };
    this.#pattern = query.regex || query.text === "" ? null : literalPattern(query);
    this.#linesSeen = this.#viewer.log.lines;
    const line = this.#current ?? this.#viewer.firstVisible() ?? 1;
    this.#current = null;
    this.#arrive(await this.#search.start(query, line, this.#viewer.log.state !== "finished"));
    this.#viewer.redecorate();
  }

  #stop() {
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#pattern = null;
    this.#current = null;
    this.#search.stop();
    if (!this.#viewer.signal.aborted) this.#viewer.redecorate();
  }

  /** Who presses fast goes on from where the last press led, also before that is drawn. */
  #stepInTurn(direction) {
    this.#steps = this.#steps.then(() => this.#step(direction));
  }

  async #step(direction) {
    if (!this.isOpen || this.#search.query === null) return;
    const { lines } = this.#viewer.log;
    if (lines > this.#linesSeen) this.#search.grown(this.#linesSeen);
    this.#linesSeen = lines;
    await this.#arrive(await this.#search[direction](this.#from(direction)));
  }

  /** The match shown last, as long as it is in view; else the edge of what is in view. */
  #from(direction) {
    const [first, last] = [this.#viewer.firstVisible() ?? 1, this.#viewer.lastVisible() ?? 1];
    if (this.#current !== null && this.#current >= first && this.#current <= last) return this.#current;
    return direction === "next" ? first - 1 : last + 1;
  }

  async #arrive(found) {
    if (found === null) {
      if (this.#search.state === "none") this.#announcer.say("No matches");
      return;
    }
    this.#current = found.line;
    await this.#go(found.line);
    this.#viewer.redecorate();
    this.#changed();
    const where = found.wrapped ? ", from the other end" : "";
    this.#announcer.say(`${this.#words()}, line ${count(found.line)}${where}`);
  }

  // What is shown of it

  #changed() {
    this.#count.textContent = this.#words();
    this.#count.classList.toggle("is-bad", this.#search.state === "failed" || this.#search.state === "none");
    this.element.toggleAttribute("data-busy", this.#search.state === "searching");
    this.#marks.set("hit", this.#search.numbers);
  }

  #words() {
    const { state, total, exact, reason } = this.#search;
    if (state === "searching") return "Searching…";
    if (state === "failed") return reason;
    if (state === "none") return exact ? "No matches" : "No matches so far";
    if (state === "idle") return "";
    const all = `${exact ? "" : "over "}${count(total)}`;
    const rank = this.#current === null ? null : this.#search.rank(this.#current);
    return rank === null ? `${all} ${total === 1 ? "line" : "lines"}` : `${count(rank)} of ${all}`;
  }

  #inView({ first, last }) {
    if (!this.#search.query?.regex || first === null || last === null) return;
    this.#search.show(first, last).then(() => this.#redecorateRegex(first, last));
  }

  /** The places of a pattern are known by the server alone; they come after the rows. */
  #redecorateRegex(first, last) {
    const { numbers } = this.#search;
    const key = `${numbers.length} ${first} ${last}`;
    if (key === this.element.dataset.shown) return;
    this.element.dataset.shown = key;
    this.#viewer.redecorate();
  }

  #segments(line) {
    if (this.#pattern !== null) return literalSegments(this.#pattern, lineText(line));
    const hit = this.#search.spans(line.number);
    if (!hit || hit.text !== lineText(line)) return [];
    return hit.spans.slice(0, MAX_SEGMENTS).map(([from, to]) => ({ from, to, className: "log-hit" }));
  }

  #decorate(element, line) {
    element.classList.toggle("log-row-current", line.number === this.#current);
  }
}

function literalPattern({ text, case: exactCase }) {
  return new RegExp(text.replace(/[.*+?^${}()|[\]\\\/]/g, "\\$&"), exactCase ? "gu" : "giu");
}
