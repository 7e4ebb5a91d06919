import { installFeatures } from "./log-features.js";
import { installLongLines } from "./long-lines.js";

/**
 * What the viewer offers beside showing lines is installed here, a function each, called once with the viewer: search,
 * folds, times, copying, preferences, the list of keys. They come behind the first lines, which do not wait for them:
 * lines may be drawn already (they are drawn anew after that), `log:state` is told once more, and keys that were
 * pressed meanwhile follow.
 *
 * What a feature may use of a LogViewer:
 *
 * - `viewer.log`: `{id, state, size, lines, started, raw}` of the log as known now; `started` in ms or NaN.
 * - `viewer.element`, `viewer.signal`: the viewer's section, and a signal that aborts when it is closed. Listen with it.
 * - `viewer.view`: elements. `view.tools` takes buttons of the toolbar (`view.button(icon, label, title, act)` makes
 *   one), `view.panels` takes bars that stand between toolbar and rows, `view.frame` overlays beside the scroll bar.
 * - `viewer.store`: the lines. `store.total` (how many there are under the channels asked for), `store.line(index)` (a
 *   line, or undefined while it is not here), `store.channels` (`viewer.setChannels([0, 1] or null)`),
 *   `store.indexOf(number)` → Promise of the index of the first line with that number or a later one. An *index* counts
 *   from 1 the lines that have any of the channels; without a choice of channels it is the line's number.
 *   A line is `{number, time, spans: [[channel, pen, text], …], columns, cut, ended}`, never changed once made: a
 *   line that changes is another object. `lineText(line)` of rows.js joins the spans.
 * - `viewer.setRows(rows)`: which indexes are rows, in order; `rows` is `{count(total), indexAt(row), rowOf(index)}`, rows
 *   from 0, `rowOf` of a hidden index is the row that stands for it (a fold's head). `null`: every index is a row.
 *   Call it again after a change of the same object. The first line in view stays where it is.
 * - `viewer.addDecorator({segments, row, numbered})`, each may be missing. `segments(line)` → `[{from, to, className, href}, …]`
 *   in UTF-16 units of the line's text, in order, not overlapping (of several decorators the first wins): search
 *   hits, links (`href` optional). `row(element, line, index)` after each fill: it may add classes (`className` is
 *   reset before), and elements of its own, which stay with the recycled element and are its to update on each call.
 *   Only for lines that are here; `numbered(element, number)` for all rows, number null where it is not known.
 *   `viewer.redecorate()` fills the mounted rows anew.
 * - `viewer.goTo(number, {center = true, mark = false})` → Promise: the line is in view with its text. Stops following.
 * - `viewer.firstVisible()`, `viewer.lastVisible()`: line numbers, or null where no row is. `viewer.following`,
 *   `viewer.setFollow(active)`; `viewer.mark` ({first, last} or null), `viewer.setMark(mark)`.
 * - `viewer.addKeys((event) => boolean)`: asked about keys before the viewer; true means taken (it is then prevented).
 *   Not asked while something editable has the focus.
 * - Events on `viewer.element`: `log:state` (detail `{state, log}`), `log:rows` after each draw that changed what is
 *   mounted or in view (detail `{first, last}` line numbers in view), `log:mark` (detail `{mark}`).
 */

/** @type {((viewer: object) => void)[]} */
export const FEATURES = [installLongLines, installFeatures];
