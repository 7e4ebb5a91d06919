/** Builds binary frames of `buildlogs.v1` as the server does. */

const encoder = new TextEncoder();

export const bytesOf = (text) => (typeof text === "string" ? encoder.encode(text) : Uint8Array.from(text));

function join(parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** A frame as the store takes it; `runs` are `[channel, text or bytes, time]`. */
export function frameOf(runs, { offset = 0, line = 1 } = {}) {
  const parts = runs.map(([, content]) => bytesOf(content));
  const lengths = runs.map(([channel, , time = 0], at) => [channel, parts[at].length, time]);
  return { offset, line, runs: lengths, bytes: join(parts) };
}

/** The same frame on the wire. */
export function wireOf(frame, header = { offset: frame.offset, line: frame.line, runs: frame.runs }) {
  const json = bytesOf(typeof header === "string" ? header : JSON.stringify(header));
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, json.length);
  return join([length, json, frame.bytes]).buffer;
}
