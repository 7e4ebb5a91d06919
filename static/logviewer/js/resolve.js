import { PLAIN, applySgr } from "./sgr.js";
import { TerminalLine } from "./terminal-line.js";
import { Terminal } from "./terminal.js";

/** What a line and a span cost besides their text, so that a flood of empty lines or colours is bounded too. */
const LINE_CHARACTERS = 32;
const SPAN_CHARACTERS = 16;

/** The pen that the parameters in force (`"1;31"`, `""`) stand for. */
export const penOf = (sgr) => (sgr === "" ? PLAIN : applySgr(PLAIN, sgr));

/**
 * A line as the viewer shows it: `{number, time, spans, columns, cut, ended}`, never changed once made. `time` in ms of
 * its first byte, spans `[channel, pen, text]`, `columns` what it takes on the screen, `cut` its length in bytes if
 * not all of it is here, else null.
 *
 * @param {{bytes: number, cut: boolean, ended: boolean}} facts `cut`: less than the line's `bytes` was written
 */
export function makeLine(number, time, terminalLine, { bytes, cut = false, ended = true }) {
  const shown = terminalLine.snapshot();
  const isCut = cut || shown.cut !== null;
  return { number, time, spans: shown.spans, columns: shown.columns, cut: isCut ? bytes : null, ended };
}

/** What moves the cursor to other lines than its own. */
const SCREEN_MOVE = /\x1b\[\d*(?:;\d*)?[ABEFHJf]/;

/** Whether raw lines move the cursor over lines, so that what stands in them depends on those around. */
export const movesOverLines = (raw) => raw.some(({ runs }) => runs.some(([, text]) => SCREEN_MOVE.test(text)));

/**
 * Lines as the server sends them, as a terminal would leave them. This is the place where a screen of several lines is
 * resolved: `around` gives the raw lines before and after, as far as they are here.
 *
 * @param {object} pen in force at the first line
 * @param {{n: number, t: number, bytes?: number, runs: [number, string][]}[]} raw
 * @param {() => {before: object[], after: object[]}} _around
 * @returns {{lines: object[], pen: object}} a line for each of `raw`, and the pen behind them
 */
export function resolveLines(pen, raw, _around) {
  const terminal = new Terminal(pen);
  const lines = raw.map(({ n, t, bytes, runs }) => {
    const line = new TerminalLine();
    for (const [channel, text] of runs) terminal.write(channel, text, line);
    terminal.endLines();
    return makeLine(n, t, line, { bytes: bytes ?? 0, cut: bytes !== undefined });
  });
  return { lines, pen: terminal.pen };
}

/** What a line costs to keep, in characters. */
export function weightOf(line) {
  return line.spans.reduce((sum, [, , text]) => sum + text.length + SPAN_CHARACTERS, LINE_CHARACTERS);
}

/** The same of a line as the server sends it. */
export function rawWeightOf({ runs }) {
  return runs.reduce((sum, [, text]) => sum + text.length + SPAN_CHARACTERS, LINE_CHARACTERS);
}
