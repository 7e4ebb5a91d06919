/**
 * How sure it is that all of a log is here, in a few words.
 */

const STEP = 1000;
const UNITS = ["bytes", "kB", "MB", "GB", "TB"];
const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "short" });
const dateAndClock = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });

/** "812 bytes", "4.2 kB", "42 MB" */
export function amountText(bytes) {
  if (bytes === 1) return "1 byte";
  let [amount, unit] = [bytes, 0];
  while (Math.round(amount) >= STEP && unit < UNITS.length - 1) {
    amount /= STEP;
    unit += 1;
  }
  const text = unit > 0 && amount < 9.95 ? amount.toFixed(1).replace(".0", "") : String(Math.round(amount));
  return `${text} ${UNITS[unit]}`;
}

/** "12:04", with its date where that is not today's; both in ms */
export function momentText(then, now) {
  const today = new Date(then).toDateString() === new Date(now).toDateString();
  return (today ? clock : dateAndClock).format(then);
}

/**
 * @param {{state: string, completeness: string | null, omitted: number, sha256?: string | null}} log a log's REST shape
 * @param {number | null} lastTime when its last line was written, in ms
 * @param {number} now
 * @returns {{level: "quiet" | "good" | "wary", text: string, detail: string}} `level` chooses icon and colour, `detail`
 *   is for those who ask
 */
export function completenessOf(log, lastTime, now) {
  if (log.state === "open") return { level: "quiet", text: "still being written", detail: "" };
  if (log.state === "abandoned" || log.completeness === "abandoned") {
    const when = lastTime === null ? "" : ` at ${momentText(lastTime, now)}`;
    const detail = "Nothing has come from the agent since. What it sent until then is all here.";
    return { level: "wary", text: `writer went silent${when}`, detail };
  }
  if (log.omitted > 0) {
    const detail = "The log was longer than this server keeps of one: its head and its tail are here.";
    return { level: "wary", text: `${amountText(log.omitted)} omitted here`, detail };
  }
  if (log.completeness === "verified") {
    const detail = log.sha256 ? `SHA-256 ${log.sha256}, as the agent counted it` : "";
    return { level: "good", text: "complete, SHA-256 verified", detail };
  }
  const detail = "All that came is here; its writer did not say what there should be.";
  return { level: "quiet", text: "finished, not verified", detail };
}
