import { PLAIN, applySgr } from "./sgr.js";

/** Longer than any sequence in use; what is longer is no sequence, and is dropped. */
const MAX_SEQUENCE_CHARACTERS = 256;

const ACTS = /[\b\r\x1b]/g;
const SEQUENCE = /\x1b(?:\[([0-?]*)([ -/]*)([@-~])|([\]PX^_])|[ -/]*[0-OQ-WYZ\\`-~])/y;
const UNFINISHED = /\x1b(?:\[[0-?]*[ -/]*|[ -/]*)$/y;
const MALFORMED = /\x1b(?:\[[0-?]*[ -/]*)?/y;
const STRING_END = /[\x07\x18\x1a\x1b\x9c]/g;
const SGR_PARAMETERS = /^[0-9;:]*$/;

function find(pattern, text, from) {
  pattern.lastIndex = from;
  return pattern.exec(text);
}

/** What a control sequence does to `line`; `count` is its first parameter, or 0. */
const CURSOR = {
  K: (line, count) => line.erase(count),
  G: (line, count) => line.moveTo(Math.max(count, 1) - 1),
  "`": (line, count) => line.moveTo(Math.max(count, 1) - 1),
  C: (line, count) => line.moveBy(Math.max(count, 1)),
  D: (line, count) => line.moveBy(-Math.max(count, 1)),
};

/** Cursor up, down, to a place; erase in display. */
const MOVES = "ABEFHJf";

/** Where in an escape sequence a channel's text stopped. */
class Stream {
  pending = "";
  inString = false;
}

/**
 * Interprets the text of a log. The pen is that of all channels together, as on one terminal (the server's `sgr` at a
 * line is the same); half-read sequences belong to a channel. Both outlive pieces and frames, the pen lines as well.
 * Sequences that neither colour nor stay within their line (cursor up, titles, links, device controls) vanish.
 * A sequence ends with its line at the latest, so that an unterminated one cannot swallow the log.
 */
export class Terminal {
  #streams = new Map();
  #pen;
  #moves = false;

  /** @param {typeof PLAIN} pen in force at the beginning */
  constructor(pen = PLAIN) {
    this.#pen = pen;
  }

  get pen() {
    return this.#pen;
  }

  /** Whether anything moved the cursor to another line; that is resolved in finished logs only. */
  get moves() {
    return this.#moves;
  }

  /** Write `text`, which has no line feed, to `line`. */
  write(channel, text, line) {
    const stream = this.#stream(channel);
    if (stream.pending === "" && !stream.inString && find(ACTS, text, 0) === null) {
      line.write(channel, this.#pen, text);
    } else {
      this.#interpret(channel, stream, stream.pending + text, line);
    }
  }

  /** A line feed came on `channel`. */
  endLine(channel) {
    const stream = this.#stream(channel);
    stream.pending = "";
    stream.inString = false;
  }

  /** The line ended for all channels. */
  endLines() {
    for (const stream of this.#streams.values()) {
      stream.pending = "";
      stream.inString = false;
    }
  }

  #stream(channel) {
    let stream = this.#streams.get(channel);
    if (!stream) this.#streams.set(channel, (stream = new Stream()));
    return stream;
  }

  #interpret(channel, stream, text, line) {
    stream.pending = "";
    let at = 0;
    while (at < text.length) {
      if (stream.inString) {
        at = this.#skipString(stream, text, at);
        continue;
      }
      const act = find(ACTS, text, at);
      const end = act === null ? text.length : act.index;
      if (end > at) line.write(channel, this.#pen, text.slice(at, end));
      at = act === null ? end : this.#act(stream, text, end, line);
    }
  }

  #skipString(stream, text, at) {
    const end = find(STRING_END, text, at);
    if (end === null) return text.length;
    stream.inString = false;
    // ESC begins the terminator `ESC \`, or another sequence: either is read as one.
    return end[0] === "\x1b" ? end.index : end.index + 1;
  }

  #act(stream, text, at, line) {
    if (text[at] === "\r") line.carriageReturn();
    else if (text[at] === "\b") line.backspace();
    else return this.#escape(stream, text, at, line);
    return at + 1;
  }

  #escape(stream, text, at, line) {
    const match = find(SEQUENCE, text, at);
    if (match) {
      const [all, parameters, intermediates, final, opener] = match;
      if (opener) stream.inString = true;
      else if (final && intermediates === "") this.#control(stream, parameters, final, line);
      return at + all.length;
    }
    if (find(UNFINISHED, text, at)) {
      if (text.length - at <= MAX_SEQUENCE_CHARACTERS) stream.pending = text.slice(at);
      return text.length;
    }
    return at + find(MALFORMED, text, at)[0].length;
  }

  #control(stream, parameters, final, line) {
    if (!SGR_PARAMETERS.test(parameters) || parameters.length > MAX_SEQUENCE_CHARACTERS) return;
    if (final === "m") this.#pen = applySgr(this.#pen, parameters);
    else if (MOVES.includes(final)) this.#moves = true;
    else CURSOR[final]?.(line, Number.parseInt(parameters, 10) || 0);
  }
}
