/**
 * Text that cannot mislead: control characters become pictures (U+2400…), and characters that are invisible or
 * reorder what stands around them (bidirectional controls: CVE-2021-42574, "Trojan Source") are named.
 */

const PICTURED = /[\x00-\x08\x0b-\x1f\x7f]/g;
const NAMED = /[\u0080-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028\u2029\u202a-\u202e\u2060\u2066-\u2069\ufeff]/g;

const NAMES = new Map([
  ["\u00ad", "SHY"],
  ["\u061c", "ALM"],
  ["\u200b", "ZWSP"],
  ["\u200e", "LRM"],
  ["\u200f", "RLM"],
  ["\u2028", "LS"],
  ["\u2029", "PS"],
  ["\u202a", "LRE"],
  ["\u202b", "RLE"],
  ["\u202c", "PDF"],
  ["\u202d", "LRO"],
  ["\u202e", "RLO"],
  ["\u2060", "WJ"],
  ["\u2066", "LRI"],
  ["\u2067", "RLI"],
  ["\u2068", "FSI"],
  ["\u2069", "PDI"],
  ["\ufeff", "BOM"],
]);

const picture = (character) => String.fromCharCode(character === "\x7f" ? 0x2421 : 0x2400 + character.charCodeAt(0));
const nameOf = (character) => `⟨${NAMES.get(character) ?? character.charCodeAt(0).toString(16).toUpperCase()}⟩`;

/** `text` with everything made visible, as plain text. */
export function visible(text) {
  return text.replace(PICTURED, picture).replace(NAMED, nameOf);
}

/**
 * `text` in pieces `[text, boxed]`; boxed ones are names such as ⟨RLO⟩ that the log does not have literally.
 *
 * @param {number} limit how many pieces at the most; the last one holds the rest
 * @returns {[string, boolean][]}
 */
export function visiblePieces(text, limit) {
  const pieces = [];
  let at = 0;
  for (const match of text.matchAll(NAMED)) {
    if (pieces.length + 3 > limit) break;
    if (match.index > at) pieces.push([visible(text.slice(at, match.index)), false]);
    pieces.push([nameOf(match[0]), true]);
    at = match.index + 1;
  }
  if (at < text.length) pieces.push([visible(text.slice(at)), false]);
  return pieces;
}
