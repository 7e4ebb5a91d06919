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

/** Whether a selection, not merely a caret, begins within `element`. */
export function selectsIn(selection, element) {
  return selection !== null && !selection.isCollapsed && element.contains(selection.anchorNode);
}
