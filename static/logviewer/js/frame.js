/**
 * Binary frames of `buildlogs.v1`: u32 big-endian header length, a header of JSON, then the bytes as stored.
 */

export const CHANNEL = Object.freeze({ STDOUT: 0, STDERR: 1, HEADER: 2 });

const LENGTH_BYTES = 4;

/** A frame that does not keep the contract; the message says which rule it breaks. */
export class MalformedFrame extends Error {
  constructor(reason) {
    super(`malformed frame: ${reason}`);
    this.name = "MalformedFrame";
  }
}

const isCount = (value) => Number.isSafeInteger(value) && value >= 0;

function checkHeader(header, byteCount) {
  if (header === null || typeof header !== "object") throw new MalformedFrame("the header is no object");
  if (!isCount(header.offset)) throw new MalformedFrame("offset is no byte offset");
  if (!isCount(header.line) || header.line < 1) throw new MalformedFrame("line is no line number");
  if (!Array.isArray(header.runs)) throw new MalformedFrame("runs is no list");
  let sum = 0;
  for (const run of header.runs) {
    if (!Array.isArray(run) || !isCount(run[0]) || !isCount(run[1])) throw new MalformedFrame("a run is no triple");
    sum += run[1];
  }
  if (sum !== byteCount) throw new MalformedFrame(`runs add up to ${sum} bytes, but ${byteCount} follow`);
}

/**
 * @param {ArrayBuffer} buffer
 * @returns {{offset: number, line: number, runs: [number, number, number][], bytes: Uint8Array}} `runs` are
 *   `[channel, length in bytes, time in ms]`; `line` is the number, from 1, of the line the first byte belongs to.
 * @throws {MalformedFrame}
 */
export function decodeFrame(buffer) {
  if (buffer.byteLength < LENGTH_BYTES) throw new MalformedFrame("shorter than its length field");
  const headerLength = new DataView(buffer).getUint32(0);
  const bodyStart = LENGTH_BYTES + headerLength;
  if (bodyStart > buffer.byteLength) throw new MalformedFrame("the header is longer than the frame");
  let header;
  try {
    const json = new Uint8Array(buffer, LENGTH_BYTES, headerLength);
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(json));
  } catch {
    throw new MalformedFrame("the header is not JSON");
  }
  const bytes = new Uint8Array(buffer, bodyStart);
  checkHeader(header, bytes.length);
  return { offset: header.offset, line: header.line, runs: header.runs, bytes };
}
