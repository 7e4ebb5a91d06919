import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import {
  DARK_BACKGROUND,
  LIGHT_BACKGROUND,
  contrast,
  hexOf,
  paint,
  readable,
} from "../../static/logviewer/js/palette.js";
import { PLAIN } from "../../static/logviewer/js/sgr.js";

const WCAG_AA = 4.5;
const css = readFileSync(new URL("../../static/logviewer/css/log.css", import.meta.url), "utf8");

/** The light and the dark value of a custom property of log.css. */
function colours(name) {
  const match = new RegExp(`${name}:[^;]*light-dark\\((#[0-9a-f]{6}), (#[0-9a-f]{6})\\)`).exec(css);
  assert.ok(match, `log.css defines ${name}`);
  return [match[1], match[2]];
}

const BACKGROUNDS = [
  "--log-background",
  "--log-stderr-background",
  "--log-header-background",
  "--log-marked-background",
  "--log-hover",
];
const NAMED_INKS = Array.from({ length: 16 }, (_, index) => `--log-ink-${index}`);

test("log.css and palette.js have the same backgrounds", () => {
  assert.deepEqual(colours("--log-background"), [LIGHT_BACKGROUND, DARK_BACKGROUND]);
});

for (const ink of [...NAMED_INKS, "--log-text", "--log-quiet", "--log-header-text"]) {
  test(`${ink} can be read on every background of a row, light and dark`, () => {
    for (const background of BACKGROUNDS) {
      colours(ink).forEach((colour, scheme) => {
        const value = contrast(colour, colours(background)[scheme]);
        assert.ok(value >= WCAG_AA, `${colour} on ${background} ${colours(background)[scheme]}: ${value.toFixed(2)}`);
      });
    }
  });
}

test("each named ink has its class", () => {
  for (let index = 0; index < 16; index += 1) {
    const look = paint({ ...PLAIN, foreground: index });
    assert.deepEqual(look, { classes: [`log-ink-${index}`], color: null, background: null });
    assert.ok(css.includes(`.log-ink-${index} {`));
  }
});

test("contrast is WCAG's", () => {
  assert.equal(contrast("#000000", "#ffffff"), 21);
  assert.ok(Math.abs(contrast("#777777", "#ffffff") - 4.48) < 0.01);
});

test("xterm's palette is xterm's", () => {
  const known = ["#000000", "#0000ff", "#ff0000", "#ffffff", "#080808", "#eeeeee"];
  assert.deepEqual([16, 21, 196, 231, 232, 255].map(hexOf), known);
});

test("every colour of the palette can be read in both schemes", () => {
  for (let index = 16; index < 256; index += 1) {
    const { color } = paint({ ...PLAIN, foreground: index });
    const [light, dark] = color.match(/#[0-9a-f]{6}/g);
    assert.ok(contrast(light, LIGHT_BACKGROUND) >= WCAG_AA, `${index} in light`);
    assert.ok(contrast(dark, DARK_BACKGROUND) >= WCAG_AA, `${index} in dark`);
  }
});

test("every named colour can be read on every named background", () => {
  for (let background = 0; background < 16; background += 1) {
    for (const foreground of [null, ...Array(16).keys()]) {
      const look = paint({ ...PLAIN, foreground, background });
      assert.ok(contrast(look.color, look.background) >= WCAG_AA, `${foreground} on ${background}`);
    }
  }
});

test("a colour that can be read is left as it is", () => {
  assert.equal(readable("#000000", "#ffffff"), "#000000");
});

test("inverse exchanges ink and paper", () => {
  const inverse = paint({ ...PLAIN, foreground: 1, background: 3, inverse: true });
  assert.equal(inverse.background, hexOf(1));
  assert.deepEqual(paint({ ...PLAIN, inverse: true }).classes, ["log-inverse"]);
  assert.equal(paint({ ...PLAIN, foreground: 2, inverse: true }).background, hexOf(2));
});

test("inverse without a foreground has the log's text colour as its paper", () => {
  const look = paint({ ...PLAIN, background: 3, inverse: true });
  assert.deepEqual(look, { classes: ["log-inverse"], color: null, background: null });
});

test("attributes are classes", () => {
  const pen = { ...PLAIN, bold: true, dim: true, italic: true, underline: true, strike: true };
  assert.deepEqual(paint(pen).classes, ["log-bold", "log-dim", "log-italic", "log-underline", "log-strike"]);
});
