/**
 * The number of a log's first line that tells of an error; null where it has none, or nobody can say. `log` is a REST
 * shape; what has no errors is not asked for.
 */
export async function firstErrorLine(log, fetch = globalThis.fetch) {
  if (!log.errors) return null;
  try {
    const answer = await fetch(log.links.marks);
    if (!answer.ok) return null;
    const { errors } = await answer.json();
    return errors.find(({ level }) => level === "error")?.n ?? null;
  } catch {
    return null; // the log opens all the same
  }
}
