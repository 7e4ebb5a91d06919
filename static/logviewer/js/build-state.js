/**
 * What the build page knows of its build, and how it changes. Pure: a state goes in, the next one comes out.
 *
 * A state is `{version, build}`; `build` is the REST shape with `steps`, each with `logs`. Events are those of
 * `/ws/builds/{id}/` (websocket.md). What is chosen, logviewer/pages/choice.py chooses by the same rules; both are put to
 * the same table of cases, tests/javascript/choice.json.
 */

const BAD_RESULTS = new Set(["failure", "exception"]);
/** Beyond it the list shows a part: a page is no longer than that, whatever the build. */
const MAX_STEPS_LISTED = 100;

/** The state that a `snapshot` message says. */
export function fromSnapshot(message) {
  const { type: _type, version, ...build } = message;
  return { version, build };
}

/**
 * The state after an event, or null where a snapshot must be asked for: an event is missing, or one speaks of what is
 * not known here. An event that is known already changes nothing.
 */
export function afterEvent(state, event) {
  if (event.type === "progress") return withProgress(state, event.logs);
  if (!Number.isInteger(event.version)) return state;
  if (event.version <= state.version) return state;
  if (event.version !== state.version + 1) return null;
  const build = changedBuild(state.build, event);
  return build && { version: event.version, build };
}

function changedBuild(build, event) {
  if (event.log) return withLog(build, event.log, event.step);
  if (event.step) return { ...build, steps: withStep(build.steps, event.step) };
  if (event.build) return { ...build, ...event.build, steps: build.steps };
  return null;
}

function withStep(steps, step) {
  const others = steps.filter((each) => each.id !== step.id);
  return [...others, step].sort((one, other) => one.number - other.number);
}

/** `stepId` is the step that the log belongs to. */
function withLog(build, log, stepId) {
  const home = build.steps.find((step) => step.id === stepId);
  if (!home) return null;
  const known = home.logs.some((each) => each.id === log.id);
  const logs = known ? home.logs.map((each) => (each.id === log.id ? log : each)) : [...home.logs, log];
  return { ...build, steps: build.steps.map((step) => (step === home ? { ...home, logs } : step)) };
}

function withProgress(state, entries) {
  const news = new Map(entries.map((entry) => [entry.id, entry]));
  const steps = state.build.steps.map((step) => {
    if (!step.logs.some((log) => news.has(log.id))) return step;
    return { ...step, logs: step.logs.map((log) => (news.has(log.id) ? { ...log, ...news.get(log.id) } : log)) };
  });
  return { ...state, build: { ...state.build, steps } };
}

/**
 * When the writer of an abandoned build was last heard, in ms since the epoch; null of one that goes on or is over. Who
 * is told that it has gone silent knows that it has been for `silentMs`; `known` is what was said before, or null.
 */
export function heardAt(build, { known, silentMs, now }) {
  if (build.state !== "abandoned") return null;
  return known ?? Math.max(Date.parse(build.started_at), now - silentMs);
}

/** The one word for how a build or step is doing; it names icon and CSS class as well. */
export function statusWord(noun) {
  return noun.state === "finished" ? noun.results ?? "finished" : noun.state;
}

/** Whether someone should look: it ended with a failure or an exception. */
export const isBad = (noun) => BAD_RESULTS.has(noun.results);

/** The first step that went wrong, or null. */
export const firstFailed = (steps) => steps.find(isBad) ?? null;

/**
 * The step to show. `choice` is `{step: number | null, current: number | null}`: what the user chose, and what is shown
 * now. Who chose nothing follows the running step, and stays where the last one was when the build ends.
 */
export function chosenStep(build, choice) {
  const { steps } = build;
  const numbered = (number) => steps.find((step) => step.number === number);
  if (choice.step !== null && numbered(choice.step)) return numbered(choice.step);
  const current = choice.current === null ? undefined : numbered(choice.current);
  const running = steps.filter((step) => step.state === "running");
  if (current?.state === "running") return current;
  if (running.length > 0) return running.at(-1);
  return current ?? firstFailed(steps) ?? steps.findLast((step) => step.state === "abandoned") ?? steps[0] ?? null;
}

/**
 * The log of the step to show: the one of that slug; else the one that is shown now, by its id; else, of a failed step,
 * the first that has errors; else the first.
 */
export function chosenLog(step, slug, current = null) {
  if (step === null) return null;
  const { logs } = step;
  const chosen = logs.find((log) => log.slug === slug) ?? logs.find((log) => log.id === current);
  return chosen ?? (isBad(step) ? logs.find((log) => log.errors > 0) : undefined) ?? logs[0] ?? null;
}

/**
 * All logs in the order in which their errors are told: `{step, log}`, those of failed steps first.
 * `logviewer.resources.annotations.logs_with_errors` goes by the same order.
 */
export function errorOrder(steps) {
  const ordered = [...steps.filter(isBad), ...steps.filter((each) => !isBad(each))];
  return ordered.flatMap((step) => step.logs.map((log) => ({ step, log })));
}

/** Whose errors are told first: the first log in that order that has any, `{step, log}`, or null. */
export const firstWithErrors = (steps) => errorOrder(steps).find(({ log }) => log.errors > 0) ?? null;

/**
 * Where the log opens: `follow` (its end, as it grows), `L120` (that line), `end` or `top`.
 *
 * `firstError` is the number of the log's first line that tells of an error, null where none is known. A failed step
 * without one opens at its end, where commands say what went wrong.
 */
export function openingOf(step, log, firstError) {
  if (log.state !== "finished") return "follow";
  if (!isBad(step)) return "top";
  return firstError === null ? "end" : `L${firstError}`;
}

/** The places, from 0, of those of `count` steps that are listed: `{first, end}`, the part that `chosen` lies in. */
export function stepsListed(count, chosen) {
  const first = Math.floor((chosen ?? 0) / MAX_STEPS_LISTED) * MAX_STEPS_LISTED;
  return { first, end: Math.min(count, first + MAX_STEPS_LISTED) };
}

/** How many logs of the build may still grow. */
export function openLogs(build) {
  return build.steps.reduce((count, step) => count + step.logs.filter((log) => log.state === "open").length, 0);
}

/** Whether anything about the build can still change. */
export function isSettled(build) {
  return build.state === "finished" && openLogs(build) === 0;
}

/** Which of the favicons says how the build is doing. */
export function faviconName(word) {
  if (word === "running") return "running";
  if (BAD_RESULTS.has(word)) return "failed";
  return word === "success" || word === "warnings" ? "success" : "idle";
}
