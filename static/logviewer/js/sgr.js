/**
 * Select Graphic Rendition (ECMA-48 8.3.117): how `ESC [ … m` changes the pen that text is written with.
 *
 * A colour is null (the default), a number from 0 to 255 (the 16 named colours and xterm's palette), or `#rrggbb`. A
 * pen's `link` is the address that its text leads to, or null: no SGR changes that.
 */

export const PLAIN = Object.freeze({
  foreground: null,
  background: null,
  bold: false,
  dim: false,
  italic: false,
  underline: false,
  strike: false,
  inverse: false,
  link: null,
});

const FIELDS = Object.keys(PLAIN);

export function samePen(a, b) {
  return a === b || FIELDS.every((field) => a[field] === b[field]);
}

/** The same pen, with text that leads to `link`. */
export function withLink(pen, link) {
  if (pen.link === link) return pen;
  const changed = { ...pen, link };
  return samePen(changed, PLAIN) ? PLAIN : changed;
}

const SIMPLE = new Map([
  [1, { bold: true }],
  [2, { dim: true }],
  [3, { italic: true }],
  [4, { underline: true }],
  [7, { inverse: true }],
  [9, { strike: true }],
  [21, { underline: true }], // double underline; a few old terminals took it for "not bold"
  [22, { bold: false, dim: false }],
  [23, { italic: false }],
  [24, { underline: false }],
  [27, { inverse: false }],
  [29, { strike: false }],
  [39, { foreground: null }],
  [49, { background: null }],
]);

const EXTENDED = new Map([
  [38, "foreground"],
  [48, "background"],
  [58, null], // colour of the underline: read, so that its numbers are not taken for attributes, and dropped
]);

const PALETTE = 5;
const DIRECT = 2;

const isByte = (value) => value >= 0 && value <= 255;
const number = (field) => (field === "" || field === undefined ? 0 : Number(field));
const hex = (rgb) => `#${rgb.map((value) => value.toString(16).padStart(2, "0")).join("")}`;

function colourOf(mode, values) {
  if (mode === PALETTE) return isByte(values[0]) ? values[0] : undefined;
  return values.length === 3 && values.every(isByte) ? hex(values) : undefined;
}

/** `38:5:196`, `38:2:R:G:B` and `38:2:colourspace:R:G:B`. */
function colonColour(parts) {
  const mode = number(parts[1]);
  if (mode === PALETTE) return colourOf(mode, [number(parts[2])]);
  if (mode === DIRECT) return colourOf(mode, parts.slice(parts.length >= 6 ? 3 : 2).slice(0, 3).map(number));
  return undefined;
}

/** `38;5;196` and `38;2;R;G;B`: the colour, and how many fields after the 38 it takes. */
function semicolonColour(fields, at) {
  const mode = number(fields[at + 1]);
  if (mode === PALETTE) return [colourOf(mode, [number(fields[at + 2])]), 2];
  if (mode === DIRECT) return [colourOf(mode, fields.slice(at + 2, at + 5).map(number)), 4];
  return [undefined, 1];
}

function named(code) {
  if (code >= 30 && code <= 37) return { foreground: code - 30 };
  if (code >= 40 && code <= 47) return { background: code - 40 };
  if (code >= 90 && code <= 97) return { foreground: code - 90 + 8 };
  if (code >= 100 && code <= 107) return { background: code - 100 + 8 };
  return SIMPLE.get(code);
}

/**
 * The pen after `ESC [ parameters m`. Unknown numbers change nothing.
 *
 * @param {typeof PLAIN} pen
 * @param {string} parameters digits, `;` and `:` only, such as `1;38:5:196`
 */
export function applySgr(pen, parameters) {
  let next = pen;
  const fields = parameters.split(";");
  for (let at = 0; at < fields.length; at += 1) {
    const parts = fields[at].split(":");
    const code = number(parts[0]);
    if (code === 0) {
      next = withLink(PLAIN, next.link);
    } else if (EXTENDED.has(code)) {
      const target = EXTENDED.get(code);
      const [colour, taken] = parts.length > 1 ? [colonColour(parts), 0] : semicolonColour(fields, at);
      at += taken;
      if (target !== null && colour !== undefined) next = { ...next, [target]: colour };
    } else if (code === 4 && parts.length > 1) {
      next = { ...next, underline: number(parts[1]) !== 0 };
    } else {
      const change = named(code);
      if (change) next = { ...next, ...change };
    }
  }
  return next;
}
