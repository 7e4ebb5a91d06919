import { BuildSocket } from "./build-socket.js";
import { BuildView } from "./build-view.js";
import { LogArea } from "./log-area.js";
import { afterEvent, chosenLog, chosenStep, fromSnapshot, isSettled } from "./build-state.js";

/** The build page's wiring: socket to state, state to view, clicks and the address to what is chosen. */

const buildId = document.querySelector("[data-build]").dataset.build;
const view = new BuildView();
const area = new LogArea(document.getElementById("log-area"));

let state = null;
let current = drawnStep();

function drawnStep() {
  const link = document.querySelector("#steps [aria-current]");
  return link ? stepOf(new URL(link.href)) : null;
}

function stepOf(url) {
  const number = url.searchParams.get("step");
  return number !== null && /^\d+$/.test(number) ? Number(number) : null;
}

/** What the user chose; it stands in the address. */
function choice() {
  const url = new URL(location.href);
  return { step: stepOf(url), log: url.searchParams.get("log") };
}

function whyNoLog(step) {
  if (step) return step.state === "running" ? "This step has written nothing yet." : "This step has no log.";
  return state.build.state === "running" ? "The log appears here with the first step." : "Nothing to show.";
}

/** Draws what the address asks for. `byItself`: the build went on, nobody chose anything. */
function show({ byItself = false } = {}) {
  const { build } = state;
  const { step: wanted, log: slug } = choice();
  const step = chosenStep(build, { step: wanted, current });
  const log = chosenLog(step, step?.number === wanted ? slug : null);
  current = step?.number ?? null;
  view.showHead(build);
  view.showSteps(build, step);
  view.showPaneHead(step, log);
  if (byItself && area.showsOther(log)) forgetMark();
  area.show(log, whyNoLog(step));
}

/** Marked lines, folds and channels are those of one log: the next one begins without. */
function forgetMark() {
  const url = new URL(location.href);
  url.hash = "";
  for (const name of ["fold", "channels"]) url.searchParams.delete(name);
  if (url.href !== location.href) history.replaceState(history.state, "", url);
}

/** Who marks lines wants these lines: the address says whose they are, and the page stays with them. */
function keepMarkedLog() {
  if (!location.hash || choice().step !== null || current === null) return;
  const url = new URL(location.href);
  url.searchParams.set("step", current);
  history.replaceState(history.state, "", url);
}

function take(message) {
  if (message.type === "error") return;
  const next = message.type === "snapshot" ? fromSnapshot(message) : state && afterEvent(state, message);
  if (!next) {
    socket.send({ type: "snapshot" });
    return;
  }
  state = next;
  show({ byItself: true });
  if (isSettled(state.build)) socket.close();
}

function tell(now) {
  view.showConnection(now, state?.build);
}

const socket = new BuildSocket(`/ws/builds/${buildId}/`, { onMessage: take, onState: tell });

/** Clicks that would open something else than this tab stay the browser's. */
const isPlain = (event) =>
  event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey && !event.defaultPrevented;

document.addEventListener("click", (event) => {
  if (event.target.closest?.(".log-number")) keepMarkedLog();
  const link = event.target.closest?.("a.step, a.tab");
  if (!link || !state || !isPlain(event)) return;
  event.preventDefault();
  const url = new URL(link.href);
  if (url.href !== location.href) history.pushState(null, "", url);
  show();
});

addEventListener("popstate", () => {
  if (!state) return;
  current = null;
  show();
});

// A page from the back/forward cache has slept: what it shows is old, and its connections are gone.
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});
