/**
 * Colours of log text. The 16 named foregrounds are classes of log.css; all others are computed here so that they can
 * be read on the log's background in both schemes, or on the background that the log itself asks for.
 */

/** The backgrounds of log.css; a test holds the two together. */
export const LIGHT_BACKGROUND = "#fcfcfb";
export const DARK_BACKGROUND = "#14171c";

/** A little over WCAG's 4.5, for the tinted rows. */
const READABLE_CONTRAST = 4.9;
const STEPS = 24;
const MAX_REMEMBERED = 512;

/** The named colours where they are a background, or stand on one: the same in both schemes. */
const NAMED = [
  "#1f242c", "#b8382f", "#2f8556", "#d6a545", "#2f6cc9", "#9450b8", "#1f8795", "#ced4dc",
  "#5b6370", "#e56a61", "#5bb87e", "#efcb75", "#6a9fee", "#c189e0", "#5cbecb", "#f6f8fa",
]; // prettier-ignore

const CUBE_LEVELS = [0, 95, 135, 175, 215, 255];

const toRgb = (hex) => [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16));
const toHex = (rgb) => `#${rgb.map((value) => Math.round(value).toString(16).padStart(2, "0")).join("")}`;

/** `#rrggbb` of a colour as in sgr.js: xterm's cube and greys from 16 on. */
export function hexOf(colour) {
  if (typeof colour === "string") return colour;
  if (colour < 16) return NAMED[colour];
  if (colour >= 232) return toHex(Array(3).fill(8 + (colour - 232) * 10));
  const index = colour - 16;
  return toHex([Math.floor(index / 36), Math.floor(index / 6) % 6, index % 6].map((level) => CUBE_LEVELS[level]));
}

function luminance(hex) {
  const [red, green, blue] = toRgb(hex).map((value) => {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** WCAG 2 contrast, 1 to 21. */
export function contrast(one, other) {
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

/** `hex`, moved toward black or white as little as it takes to be read on `background`. */
export function readable(hex, background) {
  const goal = contrast("#000000", background) > contrast("#ffffff", background) ? 0 : 255;
  const from = toRgb(hex);
  for (let step = 0; step <= STEPS; step += 1) {
    const mixed = toHex(from.map((value) => value + ((goal - value) * step) / STEPS));
    if (contrast(mixed, background) >= READABLE_CONTRAST) return mixed;
  }
  return toHex([goal, goal, goal]);
}

function remembered(compute) {
  const known = new Map();
  return (key) => {
    let value = known.get(key);
    if (value === undefined) {
      if (known.size >= MAX_REMEMBERED) known.clear();
      known.set(key, (value = compute(key)));
    }
    return value;
  };
}

const onTheLog = remembered(
  (hex) => `light-dark(${readable(hex, LIGHT_BACKGROUND)}, ${readable(hex, DARK_BACKGROUND)})`,
);

const onBackground = remembered((pair) => readable(...pair.split(" ")));

/** What stands on a background when the log asks for no foreground. */
const inkOn = remembered((background) => {
  const [dark, light] = [NAMED[0], NAMED[15]];
  return readable(contrast(light, background) > contrast(dark, background) ? light : dark, background);
});

function coloursOf(pen) {
  const [ink, paper] = pen.inverse ? [pen.background, pen.foreground] : [pen.foreground, pen.background];
  if (paper !== null) {
    const background = hexOf(paper);
    const color = ink === null ? inkOn(background) : onBackground(`${hexOf(ink)} ${background}`);
    return { classes: [], color, background };
  }
  if (pen.inverse) {
    // The paper is the log's text colour, which differs by scheme: the class knows both.
    return { classes: ["log-inverse"], color: null, background: null };
  }
  if (ink === null) return { classes: [], color: null, background: null };
  if (typeof ink === "number" && ink < 16) return { classes: [`log-ink-${ink}`], color: null, background: null };
  return { classes: [], color: onTheLog(hexOf(ink)), background: null };
}

const ATTRIBUTES = ["bold", "dim", "italic", "underline", "strike"];

/**
 * How a pen looks: class names of log.css, and where those do not do, values for `color` and `background-color`.
 *
 * @returns {{classes: string[], color: string | null, background: string | null}}
 */
export function paint(pen) {
  const colours = coloursOf(pen);
  for (const attribute of ATTRIBUTES) if (pen[attribute]) colours.classes.push(`log-${attribute}`);
  return colours;
}
