/**
 * Addresses in a log's text that a reader can follow: http and https only.
 */

/** More of them in one line help nobody. */
export const MAX_LINKS = 200;
/** Browsers and servers take no longer ones for certain. */
const MAX_ADDRESS_CHARACTERS = 2_048;

// An address goes on up to a blank, a quote, an angle bracket, a control or an invisible character. One class, one
// star, and each match begins where the last one ended: linear, whatever the text.
const ADDRESS =
  /(?<![\p{L}\p{N}_])https?:\/\/[^\s<>"`{}|\\^\x00-\x20\x7f-\xa0\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]+/giu;
const SCHEME = /^https?:\/\//i;
const TRAILING = new Set(".,;:!?'*_~…。，、；：！？");
const OPENINGS = new Map([
  [")", "("],
  ["]", "["],
]);

function tally(text) {
  const counts = new Map([..."()[]"].map((bracket) => [bracket, 0]));
  for (const character of text) if (counts.has(character)) counts.set(character, counts.get(character) + 1);
  return counts;
}

/** Where an address ends: punctuation of the sentence, and brackets that were opened before it, are not its own. */
function endOf(text) {
  const counts = tally(text);
  let end = text.length;
  for (; end > 0; end -= 1) {
    const last = text[end - 1];
    const opening = OPENINGS.get(last);
    if (opening !== undefined && counts.get(last) > counts.get(opening)) counts.set(last, counts.get(last) - 1);
    else if (!TRAILING.has(last)) break;
  }
  return end;
}

/** The address that a browser would go to, or null where `text` is none that may be followed. */
export function safeAddress(text) {
  if (text.length > MAX_ADDRESS_CHARACTERS || !SCHEME.test(text)) return null;
  try {
    const { href, hostname } = new URL(text);
    return hostname === "" ? null : href;
  } catch {
    return null;
  }
}

/**
 * The links of a line.
 *
 * @param {string} text
 * @returns {[number, number, string][]} `[from, to, address]` in UTF-16 units of `text`, in order
 */
export function findLinks(text) {
  const links = [];
  if (!text.includes("://")) return links;
  for (const match of text.matchAll(ADDRESS)) {
    const written = match[0].slice(0, endOf(match[0]));
    const address = safeAddress(written);
    if (address !== null) links.push([match.index, match.index + written.length, address]);
    if (links.length === MAX_LINKS) break;
  }
  return links;
}
