import { makeLine } from "./resolve.js";
import { PLAIN } from "./sgr.js";
import { TerminalLine } from "./terminal-line.js";
import { Terminal } from "./terminal.js";

const NOT_ASCII = /[^\x00-\x7f]/;
const encoder = new TextEncoder();

/** Bytes of `text` as UTF-8; the encoder never makes more than three of a UTF-16 unit. */
const bytesOf = (text) => (NOT_ASCII.test(text) ? encoder.encode(text).length : text.length);

/**
 * Lines from the bytes of a log's frames, from any line on. UTF-8 is decoded for each channel by itself, so that two
 * channels may interleave within a character; lines end with the line feed of any channel. Nothing is kept but the
 * line that has not ended: each line goes to `onLine` once it has.
 */
export class LiveTail {
  #onLine;
  #next;
  #decoders;
  #terminal;
  #current;
  #time;
  #bytes;
  #shown;

  /** @param {(line: object) => void} onLine takes each ended line, as `makeLine` of resolve.js makes it */
  constructor(onLine) {
    this.#onLine = onLine;
    this.start(1);
  }

  /** Drop what has not ended; the next byte is the first of line `number`, written with `pen`. */
  start(number, pen = PLAIN) {
    this.#next = number;
    this.#decoders = new Map();
    this.#terminal = new Terminal(pen);
    this.#begin();
  }

  /** Number of the line that the next byte goes to. */
  get next() {
    return this.#next;
  }

  /** Number of the last line, ended or not. */
  get last() {
    return this.#current.isEmpty ? this.#next - 1 : this.#next;
  }

  /** Whether anything since the start moved the cursor to other lines. */
  get moves() {
    return this.#terminal.moves;
  }

  /** The line that has not ended; null where nothing of it has come. */
  get unfinished() {
    if (this.#current.isEmpty) return null;
    this.#shown ??= this.#make(false);
    return this.#shown;
  }

  /** Take in a frame's `runs` of `[channel, length, time]` and their `bytes`. */
  append({ runs, bytes }) {
    let at = 0;
    for (const [channel, length, time] of runs) {
      this.#write(channel, this.#decoder(channel).decode(bytes.subarray(at, at + length), { stream: true }), time);
      at += length;
    }
  }

  /** The log is complete: a character that never was becomes U+FFFD, and the last line has ended. */
  finish() {
    for (const [channel, decoder] of this.#decoders) this.#write(channel, decoder.decode(), this.#time);
    if (!this.#current.isEmpty) this.#end();
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
      this.#time ??= time;
      this.#terminal.endLine(channel);
      this.#end();
      at = feed + 1;
    }
    this.#writePiece(channel, at === 0 ? text : text.slice(at), time);
  }

  #writePiece(channel, text, time) {
    if (text === "") return;
    this.#time ??= time;
    this.#bytes += bytesOf(text);
    this.#terminal.write(channel, text, this.#current);
    this.#shown = null;
  }

  #end() {
    const line = this.#make(true);
    this.#next += 1;
    this.#begin();
    this.#onLine(line);
  }

  #begin() {
    this.#current = new TerminalLine();
    this.#time = null;
    this.#bytes = 0;
    this.#shown = null;
  }

  #make(ended) {
    return makeLine(this.#next, this.#time, this.#current, { bytes: this.#bytes, ended });
  }
}
