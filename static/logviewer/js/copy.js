import { Screen } from "./screen.js";
import { Terminal } from "./terminal.js";

/** The text of lines that need not be in the document, fetched in pieces, without numbers and escape sequences. */

/** Lines of one request; what the server gives at the most. */
const PIECE_LINES = 5_000;
/** A clipboard takes no more without pain; what is longer is downloaded. */
export const MAX_COPY_LINES = 100_000;
export const MAX_COPY_CHARACTERS = 16 * 1024 * 1024;

/** More was asked for than fits into a clipboard; the message says what to do. */
export class TooMuchToCopy extends Error {
  constructor() {
    const millions = MAX_COPY_CHARACTERS / 1024 / 1024;
    const limit = `${MAX_COPY_LINES.toLocaleString("en")} lines or ${millions} million characters`;
    super(`More than ${limit} do not fit into the clipboard: take the raw text.`);
    this.name = "TooMuchToCopy";
  }
}

const textOf = ({ spans }) => spans.map(([, , text]) => text).join("");

/**
 * The text of lines `first` to `last`, joined by line feeds, as it is shown.
 *
 * @param {{first: number, last: number}} range
 * @param {(start: number, count: number) => Promise<{total: number, lines: {n: number, bytes?: number, runs:
 *   [number, string][]}[]}>} fetchLines `GET …/lines`, which may give fewer lines than asked for
 * @param {(done: number, all: number) => void} progress hears of every piece
 * @param {number | null} index where only lines of chosen channels are shown: which of these `first`, or the one after
 *   it, is, from 1; `start` counts these then
 * @returns {Promise<{text: string, lines: number, cut: number}>} how many lines it are, and how many of them are too
 *   long to be whole here
 * @throws {TooMuchToCopy}
 */
export async function readText({ first, last }, fetchLines, progress = () => {}, index = null) {
  if (last - first >= MAX_COPY_LINES) throw new TooMuchToCopy();
  const terminal = new Terminal();
  const screen = new Screen(first);
  const lines = [];
  let [next, start, characters, cut] = [first, index ?? first, 0, 0];
  while (next <= last) {
    const piece = await fetchLines(start, Math.min(PIECE_LINES, last - next + 1));
    if (piece.lines.length === 0) break;
    for (const { n, bytes, runs } of piece.lines) {
      if (n < first || n > last) continue;
      if (bytes !== undefined) cut += 1;
      characters += write(terminal, screen, n, runs);
      if (characters > MAX_COPY_CHARACTERS) throw new TooMuchToCopy();
    }
    next = piece.lines.at(-1).n + 1;
    start += piece.lines.length;
    for (const line of screen.take()) lines[line.number - first] = textOf(line);
    progress(Math.min(next - first, last - first + 1), last - first + 1);
  }
  const shown = index === null ? Array.from(lines, (line) => line ?? "") : lines.filter((line) => line !== undefined);
  return { text: shown.join("\n"), lines: shown.length, cut };
}

function write(terminal, screen, number, runs) {
  screen.begin(number);
  let characters = 1;
  for (const [channel, text] of runs) {
    terminal.write(channel, text, screen);
    characters += text.length;
  }
  for (const [channel] of runs) terminal.endLine(channel);
  screen.endLine();
  return characters;
}
