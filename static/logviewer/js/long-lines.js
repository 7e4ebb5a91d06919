import { formatSize } from "./log-view.js";
import { visible } from "./visible-text.js";

/** What one look at a line shows more; a line may have gigabytes. */
export const PIECE_CHARACTERS = 64 * 1024;

/**
 * The text of one line, in pieces, as it was written. It is read no faster than it is asked for.
 */
export class LongLine {
  #address;
  #fetch;
  #closing = new AbortController();
  #reader = null;
  #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  #rest = "";
  #ended = false;

  /** @param {string} raw address of the log's text @param {number} number of the line */
  constructor(raw, number, fetch = (...wanted) => globalThis.fetch(...wanted)) {
    this.#address = `${raw}?from-line=${number}&to-line=${number}`;
    this.#fetch = fetch;
  }

  /** @returns {Promise<{text: string, last: boolean}>} the next piece. @throws {Error} where it cannot be read */
  async next() {
    this.#reader ??= await this.#open();
    while (this.#rest.length < PIECE_CHARACTERS && !this.#ended) {
      const { value, done } = await this.#reader.read();
      this.#ended = done;
      this.#rest += done ? this.#decoder.decode() : this.#decoder.decode(value, { stream: true });
    }
    const end = this.#pieceEnd();
    const text = this.#rest.slice(0, end);
    this.#rest = this.#rest.slice(end);
    return { text: text.replace(/\n$/, ""), last: this.#ended && this.#rest === "" };
  }

  /** Whether nobody waits for it any more. */
  get closed() {
    return this.#closing.signal.aborted;
  }

  /** What was asked for is not wanted any more, whether the answer has begun or not. */
  close() {
    this.#closing.abort();
    this.#reader?.cancel().catch(() => {});
  }

  /** No half of a surrogate pair at its end. */
  #pieceEnd() {
    const last = this.#rest.charCodeAt(PIECE_CHARACTERS - 1);
    return last >= 0xd800 && last <= 0xdbff ? PIECE_CHARACTERS - 1 : PIECE_CHARACTERS;
  }

  async #open() {
    const response = await this.#fetch(this.#address, { signal: this.#closing.signal });
    if (!response.ok) throw new Error(`The server answered ${response.status}.`);
    return response.body.getReader();
  }
}

function make(document, name, className, ...content) {
  const element = document.createElement(name);
  element.className = className;
  element.append(...content);
  return element;
}

function makeButton(document, className, text, act) {
  const button = make(document, "button", className, text);
  button.type = "button";
  button.addEventListener("click", act);
  return button;
}

/** Shows a line over the log, a piece at first; the reader asks for more. */
function showLine(viewer, number, bytes) {
  const { ownerDocument: document } = viewer.element;
  const line = new LongLine(viewer.log.raw, number);
  const text = make(document, "div", "log-long-text");
  text.tabIndex = 0;
  const title = make(document, "h2", "log-long-title", `Line ${number.toLocaleString("en")}, ${formatSize(bytes)}`);
  const more = makeButton(document, "log-button", "Show more", () => read());
  const close = makeButton(document, "log-button", "Close", () => dialog.close());
  const dialog = make(document, "dialog", "log-long", make(document, "div", "log-long-head", title, more, close), text);
  dialog.setAttribute("aria-label", `Line ${number}`);

  async function read() {
    more.disabled = true;
    try {
      const piece = await line.next();
      text.append(make(document, "div", "log-long-piece", visible(piece.text)));
      more.hidden = piece.last;
    } catch (error) {
      if (line.closed) return;
      text.append(make(document, "p", "log-long-error", `The rest could not be read. ${error.message}`));
    }
    more.disabled = false;
  }

  const left = new AbortController();
  dialog.addEventListener("close", () => {
    left.abort();
    line.close();
    dialog.remove();
  });
  viewer.signal.addEventListener("abort", () => dialog.close(), { signal: left.signal });
  viewer.element.append(dialog);
  dialog.showModal();
  read();
}

/** Lines that were cut have a button that shows all of them. */
export function installLongLines(viewer) {
  const { ownerDocument: document } = viewer.element;
  viewer.addDecorator({
    row: (row, line) => {
      const button = row.querySelector(".log-more");
      if (line.cut === null) button?.remove();
      else if (button === null) row.append(makeButton(document, "log-more", "Show all", () => show(row)));
    },
  });

  function show(row) {
    const line = viewer.lineOf(row);
    if (line) showLine(viewer, line.number, line.cut);
  }
}
