/**
 * The viewer's keys: which does what, and what the list under `?` says of them.
 *
 * A key is written as `KeyboardEvent.key`, with `Ctrl+`, `Alt+` and `Shift+` before it; Ctrl is the command key on a
 * Mac. Shift is named only where the key alone would not tell, such as `Shift+F8`.
 */

export const KEYS = [
  {
    group: "Find",
    keys: [
      { keys: ["/", "Ctrl+f"], action: "search", says: "Search; Ctrl-F again is the browser's own" },
      { keys: ["n"], action: "nextHit", says: "Next match" },
      { keys: ["Shift+N"], action: "previousHit", says: "Match before" },
      { keys: ["F8", "e"], action: "nextError", says: "Next error" },
      { keys: ["Shift+F8", "Shift+E"], action: "previousError", says: "Error before" },
      { keys: ["g"], action: "goTo", says: "Go to a line and mark it" },
    ],
  },
  {
    group: "Move",
    keys: [
      { keys: ["ArrowUp", "ArrowDown"], says: "A line up, down" },
      { keys: ["PageUp", "PageDown"], says: "A page up, down" },
      { keys: ["Home", "End"], says: "Start and end of the log" },
      { keys: ["f"], action: "follow", says: "Follow the end" },
      { keys: ["s"], action: "longestGap", says: "Longest silence, then the next" },
    ],
  },
  {
    group: "Look",
    keys: [
      { keys: ["t"], action: "times", says: "Times: off, of day, since the start, since the line before" },
      { keys: ["w"], action: "wrap", says: "Wrap long lines" },
      { keys: ["z"], action: "folds", says: "Fold or unfold all sections" },
      { keys: ["+", "-"], action: "fontSize", says: "Larger, smaller text" },
      { keys: ["Shift+F"], action: "fullScreen", says: "Full screen" },
    ],
  },
  {
    group: "Lines",
    keys: [
      { keys: ["Click"], says: "Mark the line of a number" },
      { keys: ["Shift+Click"], says: "Mark a range" },
      { keys: ["m"], action: "mark", says: "Mark the line gone to last, or the first in view" },
      { keys: ["Shift+M"], action: "extendMark", says: "Mark from there to here; again: a line more" },
      { keys: ["Ctrl+a"], action: "markAll", says: "Mark all lines" },
      { keys: ["c"], action: "copyText", says: "Copy the marked lines" },
      { keys: ["y"], action: "copyLink", says: "Copy a link to them" },
      { keys: ["Escape"], action: "escape", says: "Close what is open, then take the mark away" },
    ],
  },
  { group: "Help", keys: [{ keys: ["?"], action: "help", says: "This list" }] },
];

/** A letter is as it is typed, whatever the shift lock says; signs such as `?` and `+` have no Shift of their own. */
function nameOf({ key, ctrlKey, metaKey, altKey, shiftKey }) {
  const letter = /^\p{L}$/u.test(key);
  const named = key.length > 1;
  const shown = letter ? (shiftKey ? key.toUpperCase() : key.toLowerCase()) : key;
  const modifiers = [ctrlKey || metaKey ? "Ctrl+" : "", altKey ? "Alt+" : "", shiftKey && (letter || named) ? "Shift+" : ""];
  return modifiers.join("") + shown;
}

const ACTIONS = new Map(
  KEYS.flatMap(({ keys }) => keys)
    .filter(({ action }) => action)
    .flatMap(({ keys, action }) => keys.map((name) => [name, action])),
);

/** Which action a keydown event asks for, or null. */
export function actionOf(event) {
  return ACTIONS.get(nameOf(event)) ?? null;
}

const SHOWN = new Map([
  ["ArrowUp", "↑"],
  ["ArrowDown", "↓"],
  ["PageUp", "Page ↑"],
  ["PageDown", "Page ↓"],
  ["Escape", "Esc"],
]);

/** The parts of a key as they are printed on keyboards: `["Shift", "F8"]`. */
export function capsOf(name) {
  if (name === "+") return ["+"];
  return name.split("+").map((part) => SHOWN.get(part) ?? (part.length === 1 ? part.toUpperCase() : part));
}
