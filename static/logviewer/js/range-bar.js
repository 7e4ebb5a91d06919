import { writeClipboard } from "./clipboard.js";
import { readText } from "./copy.js";
import { make } from "./elements.js";
import { channelsParameter } from "./filters.js";
import { createIcon } from "./icons.js";

/** So long a bar says what became of a click. */
const SAID_MS = 4_000;

const count = (number) => number.toLocaleString("en");

function nameOf({ first, last }) {
  return first === last ? `Line ${count(first)}` : `Lines ${count(first)}–${count(last)}`;
}

/** What can be done with marked lines: a link to them, their text, also of those that are not in the document, raw. */
export class RangeBar {
  #viewer;
  #announcer;
  #bar;
  #name;
  #raw;
  #timer = null;
  #busy = false;

  constructor(viewer, announcer) {
    this.#viewer = viewer;
    this.#announcer = announcer;
    this.#bar = this.#make();
    viewer.view.frame.append(this.#bar);
    const { signal } = viewer;
    signal.addEventListener("abort", () => clearTimeout(this.#timer));
    viewer.element.addEventListener("log:mark", () => this.#show(), { signal });
    viewer.view.viewport.addEventListener("copy", (event) => this.#copied(event), { signal });
    this.#show();
  }

  /** Copies a link to the marked lines; @returns {boolean} whether there are any */
  copyLink() {
    if (this.#viewer.mark === null) return false;
    this.#put(Promise.resolve(location.href), () => "Link copied");
    return true;
  }

  /** Copies the marked lines; @returns {boolean} whether there are any */
  copyText() {
    const { mark } = this.#viewer;
    if (mark === null) return false;
    if (this.#busy) return true;
    this.#busy = true;
    const progress = (done, all) => done < all && this.#tell(`Copying ${count(done)} of ${count(all)} lines…`);
    const read = this.#read(mark, progress).finally(() => (this.#busy = false));
    const words = ({ lines, cut }) => {
      const copied = `${lines === 1 ? "1 line" : `${count(lines)} lines`} copied`;
      return cut === 0 ? copied : `${copied}, ${cut === 1 ? "one" : count(cut)} of them cut`;
    };
    this.#put(read.then(({ text }) => text), async () => words(await read));
    return true;
  }

  /** What is shown of the marked lines: those of the chosen channels. */
  async #read(mark, progress) {
    const { store } = this.#viewer;
    const channels = channelsParameter(store.channels);
    const index = channels === "" ? null : await store.indexOf(mark.first);
    return readText(mark, (start, number) => this.#lines(start, number, channels), progress, index);
  }

  async #lines(start, number, channels) {
    const query = new URLSearchParams({ start, count: number });
    if (channels !== "") query.set("channels", channels);
    const response = await fetch(`/api/v1/logs/${this.#viewer.log.id}/lines?${query}`, { signal: this.#viewer.signal });
    if (!response.ok) throw new Error("The server did not give the lines.");
    return response.json();
  }

  async #put(text, words) {
    try {
      await writeClipboard(text);
      this.#say(await words());
    } catch (error) {
      if (!this.#viewer.signal.aborted) this.#say(error.message);
    }
  }

  #say(words) {
    this.#tell(words);
    this.#announcer.say(words);
    this.#timer = setTimeout(() => this.#show(), SAID_MS);
  }

  #tell(words) {
    clearTimeout(this.#timer);
    this.#name.textContent = words;
  }

  #make() {
    this.#name = make("span", { class: "log-range-name" });
    this.#raw = make("a", { class: "log-button", title: "These lines as plain text" }, "Raw");
    return make(
      "div",
      { class: "log-range", role: "group", "aria-label": "Marked lines", hidden: "" },
      this.#name,
      this.#button("link", "Copy link", "Copy a link to these lines (y)", () => this.copyLink()),
      this.#button("copy", "Copy text", "Copy these lines (c)", () => this.copyText()),
      this.#raw,
      this.#button("close", "", "Take the mark away (Esc)", () => this.#close()),
    );
  }

  #button(icon, label, title, act) {
    const button = this.#viewer.view.button(icon, label, title, act);
    if (label === "") button.setAttribute("aria-label", title);
    return button;
  }

  #close() {
    this.#viewer.setMark(null);
    this.#viewer.view.viewport.focus();
  }

  #show() {
    clearTimeout(this.#timer);
    const { mark, log, store, element } = this.#viewer;
    this.#bar.hidden = mark === null;
    element.toggleAttribute("data-marked", mark !== null);
    if (mark === null) return;
    this.#name.textContent = nameOf(mark);
    const query = new URLSearchParams({ "from-line": mark.first, "to-line": mark.last });
    const channels = channelsParameter(store.channels);
    if (channels !== "") query.set("channels", channels);
    this.#raw.href = `${log.raw}?${query}`;
  }

  /** Where nothing is selected, what is marked is meant. */
  #copied(event) {
    const selection = document.getSelection();
    if (selection !== null && !selection.isCollapsed) return;
    if (this.copyText()) event.preventDefault();
  }
}
