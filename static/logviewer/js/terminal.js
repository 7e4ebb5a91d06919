import { safeAddress } from "./links.js";
import { PLAIN, applySgr, withLink } from "./sgr.js";

/** Longer than any sequence in use; what is longer is no sequence, and is dropped. */
const MAX_SEQUENCE_CHARACTERS = 256;
/** A link's address and its parameters; what is longer leads nowhere. */
const MAX_STRING_CHARACTERS = 4_096;

const ACTS = /[\b\r\x1b]/g;
const SEQUENCE = /\x1b(?:\[([0-?]*)([ -/]*)([@-~])|([\]PX^_])|[ -/]*[0-OQ-WYZ\\`-~])/y;
const UNFINISHED = /\x1b(?:\[[0-?]*[ -/]*|[ -/]*)$/y;
const MALFORMED = /\x1b(?:\[[0-?]*[ -/]*)?/y;
const STRING_END = /[\x07\x18\x1a\x1b\x9c]/g;
const SGR_PARAMETERS = /^[0-9;:]*$/;
const LINK = /^8;[^;]*;(.*)$/s;

function find(pattern, text, from) {
  pattern.lastIndex = from;
  return pattern.exec(text);
}

/**
 * What a control sequence does to `line`; `count` is its first parameter, or 0. What goes to other rows is for a
 * screen (screen.js); a line by itself has none, and it vanishes.
 */
const CURSOR = {
  A: (line, count) => line.moveRows?.(-Math.max(count, 1)),
  B: (line, count) => line.moveRows?.(Math.max(count, 1)),
  E: (line, count) => line.moveRows?.(Math.max(count, 1), 0),
  F: (line, count) => line.moveRows?.(-Math.max(count, 1), 0),
  J: (line, count) => line.eraseDisplay?.(count),
  K: (line, count) => line.erase(count),
  G: (line, count) => line.moveTo(Math.max(count, 1) - 1),
  "`": (line, count) => line.moveTo(Math.max(count, 1) - 1),
  C: (line, count) => line.moveBy(Math.max(count, 1)),
  D: (line, count) => line.moveBy(-Math.max(count, 1)),
};

/** What leaves the line it is in: the screen around it has to be known. */
const MOVES = "ABEFHJf";

/** Where in an escape sequence a channel's text stopped. */
class Stream {
  pending = "";
  inString = false;
  /** What came of an OSC string; null in strings of other kinds. */
  string = null;
}

/**
 * Interprets the text of a log. The pen is that of all channels together, as on one terminal (the server's `sgr` at a
 * line is the same); half-read sequences belong to a channel. Both outlive pieces and frames, the pen lines as well.
 * Sequences that neither colour, link, move nor erase (titles, modes, clipboard, device controls) vanish. A sequence
 * ends with its line at the latest, so that an unterminated one cannot swallow the log; so does a link.
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

  /** Whether anything moved the cursor to another line, or erased one. */
  get moves() {
    return this.#moves;
  }

  /** Write `text`, which has no line feed, to `line`: a TerminalLine, or a Screen. */
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
    this.#pen = withLink(this.#pen, null);
  }

  /** The line ended for all channels. */
  endLines() {
    for (const channel of this.#streams.keys()) this.endLine(channel);
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
    this.#collect(stream, text, at, end === null ? text.length : end.index);
    if (end === null) return text.length;
    stream.inString = false;
    // CAN and SUB call a string off.
    if (end[0] !== "\x18" && end[0] !== "\x1a") this.#link(stream);
    // ESC begins the terminator `ESC \`, or another sequence: either is read as one.
    return end[0] === "\x1b" ? end.index : end.index + 1;
  }

  #collect(stream, text, from, to) {
    if (stream.string === null) return;
    if (stream.string.length + to - from > MAX_STRING_CHARACTERS) stream.string = null;
    else stream.string += text.slice(from, to);
  }

  /** OSC 8: what is written from now on leads to an address, or to none (any that may not be followed is none). */
  #link(stream) {
    const match = stream.string === null ? null : LINK.exec(stream.string);
    if (match) this.#pen = withLink(this.#pen, safeAddress(match[1]));
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
      if (opener) this.#beginString(stream, opener);
      else if (final && intermediates === "") this.#control(stream, parameters, final, line);
      return at + all.length;
    }
    if (find(UNFINISHED, text, at)) {
      if (text.length - at <= MAX_SEQUENCE_CHARACTERS) stream.pending = text.slice(at);
      return text.length;
    }
    return at + find(MALFORMED, text, at)[0].length;
  }

  #beginString(stream, opener) {
    stream.inString = true;
    stream.string = opener === "]" ? "" : null;
  }

  #control(stream, parameters, final, line) {
    if (!SGR_PARAMETERS.test(parameters) || parameters.length > MAX_SEQUENCE_CHARACTERS) return;
    if (final === "m") this.#pen = applySgr(this.#pen, parameters);
    else {
      this.#moves ||= MOVES.includes(final);
      CURSOR[final]?.(line, Number.parseInt(parameters, 10) || 0);
    }
  }
}
