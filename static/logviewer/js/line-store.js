import { Terminal } from "./terminal.js";
import { TerminalLine } from "./terminal-line.js";

export const MAX_LINES = 100_000;
export const MAX_CHARACTERS = 32 * 1024 * 1024;

/** What a line and a span cost besides their text, so that a flood of empty lines or colours is bounded too. */
const LINE_CHARACTERS = 32;
const SPAN_CHARACTERS = 16;

/**
 * The last lines of a log, from the bytes of its frames. UTF-8 is decoded for each channel by itself, so that two
 * channels may interleave within a character; lines end with the line feed of any channel.
 *
 * A line is `{number, time, spans, columns, cut, ended}`: `time` in ms of its first byte, spans `[channel, pen, text]`
 * as a terminal would leave them, `cut` the full length in characters of a line that was cut, else null.
 */
export class LineStore {
  #maxLines;
  #maxCharacters;
  #base;
  #first;
  #next;
  #ring;
  #characters;
  #decoders;
  #terminal;
  #current;
  #currentTime;
  #bytes;
  #generation = 0;
  #revision = 0;

  constructor({ maxLines = MAX_LINES, maxCharacters = MAX_CHARACTERS } = {}) {
    this.#maxLines = maxLines;
    this.#maxCharacters = maxCharacters;
    this.start(1);
  }

  /** Drop everything; the next byte belongs to line `line`. */
  start(line) {
    this.#base = line;
    this.#first = line;
    this.#next = line;
    this.#ring = [];
    this.#characters = 0;
    this.#decoders = new Map();
    this.#terminal = new Terminal();
    this.#current = new TerminalLine();
    this.#currentTime = null;
    this.#bytes = 0;
    this.#generation += 1;
    this.#revision += 1;
  }

  /** Number of the first line that is kept: as many lines less one are left out before it. */
  get first() {
    return this.#first;
  }

  /** Number of the last line, ended or not; `first - 1` when there is none. */
  get last() {
    return this.#current.isEmpty ? this.#next - 1 : this.#next;
  }

  /** Number of the line that the next byte goes to. */
  get next() {
    return this.#next;
  }

  get count() {
    return this.last - this.#first + 1;
  }

  get leftOut() {
    return this.#first - 1;
  }

  /** Bytes taken in since the start. */
  get bytes() {
    return this.#bytes;
  }

  /** Goes up with every `start`. */
  get generation() {
    return this.#generation;
  }

  /** Goes up with everything that may change what a reader sees. */
  get revision() {
    return this.#revision;
  }

  /** Take in a frame's `runs` of `[channel, length, time]` and their `bytes`. */
  append({ runs, bytes }) {
    let at = 0;
    for (const [channel, length, time] of runs) {
      this.#write(channel, this.#decoder(channel).decode(bytes.subarray(at, at + length), { stream: true }), time);
      at += length;
    }
    this.#bytes += bytes.length;
    this.#revision += 1;
    this.#bound();
  }

  /** The log is complete: a character that never was becomes U+FFFD. */
  finish() {
    for (const [channel, decoder] of this.#decoders) this.#write(channel, decoder.decode(), this.#currentTime);
    this.#revision += 1;
    this.#bound();
  }

  /** The line with that number, or undefined where it is not kept. */
  line(number) {
    if (number < this.#first || number > this.last) return undefined;
    if (number === this.#next) return this.#unfinished();
    return this.#ring[(number - this.#base) % this.#maxLines];
  }

  #unfinished() {
    return { number: this.#next, time: this.#currentTime, ended: false, ...this.#current.snapshot() };
  }

  #decoder(channel) {
    let decoder = this.#decoders.get(channel);
    if (!decoder) this.#decoders.set(channel, (decoder = new TextDecoder("utf-8", { ignoreBOM: true })));
    return decoder;
  }

  #write(channel, text, time) {
    let at = 0;
    for (let feed = text.indexOf("\n"); feed !== -1; feed = text.indexOf("\n", at)) {
      this.#writePiece(channel, text.slice(at, feed), time);
      this.#endLine(channel, time);
      at = feed + 1;
    }
    this.#writePiece(channel, at === 0 ? text : text.slice(at), time);
  }

  #writePiece(channel, text, time) {
    if (text === "") return;
    this.#currentTime ??= time;
    this.#terminal.write(channel, text, this.#current);
  }

  #endLine(channel, time) {
    this.#terminal.endLine(channel);
    const line = this.#unfinished();
    line.time ??= time;
    line.ended = true;
    if (this.#next - this.#first >= this.#maxLines) this.#dropFirst();
    this.#ring[(this.#next - this.#base) % this.#maxLines] = line;
    this.#characters += weight(line);
    this.#next += 1;
    this.#current = new TerminalLine();
    this.#currentTime = null;
    while (this.#characters > this.#maxCharacters) this.#dropFirst();
  }

  #bound() {
    while (this.count > this.#maxLines) this.#dropFirst();
  }

  #dropFirst() {
    const slot = (this.#first - this.#base) % this.#maxLines;
    this.#characters -= weight(this.#ring[slot]);
    this.#ring[slot] = undefined;
    this.#first += 1;
  }
}

function weight(line) {
  return line.spans.reduce((sum, [, , text]) => sum + text.length + SPAN_CHARACTERS, LINE_CHARACTERS);
}
