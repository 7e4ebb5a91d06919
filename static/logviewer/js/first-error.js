/**
 * The first mark that tells of an error in a log, a REST shape: `{n, text, file?, line?}`, n being the number of its
 * line; null where it has none, or nobody can say. A log without errors is not asked for any.
 */
export async function firstError(log, fetch = globalThis.fetch) {
  if (!log.errors) return null;
  try {
    const answer = await fetch(log.links.marks);
    if (!answer.ok) return null;
    const { errors } = await answer.json();
    return errors.find(({ level }) => level === "error") ?? null;
  } catch {
    return null; // the log opens all the same
  }
}

/** What is said of an error: where in which source file, as far as that is known, and what. */
export function errorText({ text, file, line }) {
  if (!file) return text;
  return line === undefined ? `${file}: ${text}` : `${file}:${line}: ${text}`;
}
