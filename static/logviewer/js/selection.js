/**
 * The text that is selected in the rows of a log: lines as they are shown, joined by line feeds, without numbers and
 * what else stands in a row.
 *
 * @param {Selection} selection
 * @param {Iterable<HTMLElement>} rows in the order of the document
 */
export function selectedText(selection, rows) {
  const lines = [];
  const selected = selection.getRangeAt(0);
  for (const row of rows) {
    if (!selected.intersectsNode(row)) continue;
    const range = row.ownerDocument.createRange();
    range.selectNodeContents(row.querySelector(".log-text"));
    // Before a range is -1, behind it 1; what begins behind a line's text, or ends before it, has nothing of it.
    const begins = range.comparePoint(selected.startContainer, selected.startOffset);
    const ends = range.comparePoint(selected.endContainer, selected.endOffset);
    if (begins > 0 || ends < 0) range.collapse();
    if (begins === 0) range.setStart(selected.startContainer, selected.startOffset);
    if (ends === 0) range.setEnd(selected.endContainer, selected.endOffset);
    lines.push(range.toString());
  }
  return lines.join("\n");
}

/**
 * The lines where a selection in `pane` begins and ends, in order, with the rows that show them; null where there are
 * none. @returns {{first: number, last: number, rows: HTMLElement[], lines: string[]} | null}
 */
export function selectedLines(selection, pane) {
  if (!selectsIn(selection, pane)) return null;
  const ends = [selection.anchorNode, selection.focusNode];
  const rows = ends.map((node) => (node.closest ? node : node.parentElement)?.closest(".log-row"));
  if (rows.some((row) => !row?.dataset.line || !pane.contains(row))) return null;
  const lines = rows.map((row) => row.dataset.line);
  const [first, last] = lines.map(Number).sort((one, other) => one - other);
  return { first, last, rows, lines };
}

/** Whether the rows still show the lines that were selected: those that are far apart go to others. */
export const isShown = ({ rows, lines }) => rows.every((row, at) => row.isConnected && row.dataset.line === lines[at]);

/** Whether a selection, not merely a caret, begins within `element`. */
export function selectsIn(selection, element) {
  return selection !== null && !selection.isCollapsed && element.contains(selection.anchorNode);
}
