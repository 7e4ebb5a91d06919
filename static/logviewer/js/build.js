import { BuildError } from "./build-error.js";
import { BuildSocket } from "./build-socket.js";
import { BuildView } from "./build-view.js";
import { copiesLink } from "./copy-link.js";
import { LogArea } from "./log-area.js";
import { firstError } from "./first-error.js";
import { TimelineView } from "./timeline-view.js";
import { afterEvent, chosenLog, chosenStep, fromSnapshot, heardAt, isBad, isSettled, openingOf } from "./build-state.js";

/** The build page's wiring: socket to state, state to view, clicks and the address to what is chosen. */

const TIMELINE_INTERVAL_MS = 1000;

const { build: buildId, project, builder, heard: heardThen, silentAfter } = document.querySelector("[data-build]").dataset;
const view = new BuildView();
const timeline = new TimelineView(document.getElementById("timeline"));
const buildError = new BuildError({ show: (...about) => view.showError(...about), told: view.toldError });
const area = new LogArea(document.getElementById("log-area"));
copiesLink(document.getElementById("copy-error-link"), document.querySelector("#first-error a"));

let state = null;
/** When the writer of an abandoned build was last heard; the build itself does not say it. */
let heard = heardThen ? Date.parse(heardThen) : null;
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

/** Why there is no log, and what would make one; templates/logviewer/parts/no_log.html says the same. */
function whyNoLog(step) {
  if (step) return { text: step.state === "running" ? "This step has written nothing yet." : "This step has no log.", command: null };
  if (state.build.state === "running") {
    return { text: "The log appears here with the first step. In the build's command:", command: "buildlogs step compile -- make" };
  }
  const command = `buildlogs run --project ${project} --builder ${builder} -- make`;
  return { text: "This build ended without a step. Give it one:", command };
}

async function openingIn(step, log) {
  const error = isBad(step) ? await firstError(log) : null;
  return openingOf(step, log, error && error.n);
}

/** The build as it is now; null where the server is away. */
async function readBuild() {
  try {
    const answer = await fetch(`/api/v1/builds/${buildId}`);
    return answer.ok ? await answer.json() : null;
  } catch {
    return null;
  }
}

/** Draws what the address asks for. `byItself`: the build went on, nobody chose anything. */
function show({ byItself = false } = {}) {
  const { build } = state;
  const { step: wanted, log: slug } = choice();
  const step = chosenStep(build, { step: wanted, current });
  const log = chosenLog(step, step?.number === wanted ? slug : null, area.shown);
  current = step?.number ?? null;
  heard = heardAt(build, { known: heard, silentMs: silentAfter * 1000, now: Date.now() });
  view.showHead(build, heard);
  view.showSteps(build, step);
  view.showPaneHead(step, log);
  timeline.show(build, step, heard);
  if (byItself && area.showsOther(log)) forgetMark();
  area.show(log, () => openingIn(step, log), log ? null : whyNoLog(step));
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
  if (!isSettled(state.build)) {
    buildError.hear(state.build);
    return;
  }
  socket.close();
  buildError.settle(state.build, readBuild);
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
  const link = event.target.closest?.("a.step, a.tab, a.step-link, .timeline a");
  if (!link || !state || !isPlain(event)) return;
  event.preventDefault();
  const url = new URL(link.getAttribute("href"), location.href);
  if (url.href !== location.href) history.pushState(null, "", url);
  show();
});

addEventListener("popstate", () => {
  if (!state) return;
  current = null;
  show();
});

// What runs grows: each second its bars are a little longer.
setInterval(() => {
  if (state?.build.state !== "running" || document.hidden) return;
  timeline.show(state.build, state.build.steps.find((step) => step.number === current) ?? null, heard);
}, TIMELINE_INTERVAL_MS);

// A page from the back/forward cache has slept: what it shows is old, and its connections are gone.
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});
