import { durationText } from "./moments.js";
import { statusWord } from "./build-state.js";

/**
 * When the steps of a build ran, as bars over its time. Pure; logviewer/pages/timeline.py draws the same. Both are put
 * to the same table of cases, tests/javascript/timeline.json.
 */

/** Of more steps, neighbours share a bar. */
const MAX_BARS = 100;
/** Steps that run beside each other lie below each other. */
const MAX_LANES = 4;
export const LANE_PX = 16;
/** A step of no length is still seen. */
const NARROWEST_PERCENT = 0.4;
const MAX_LABEL_CHARACTERS = 60;
/** Clocks differ: what overlaps by less comes after. */
const OVERLAP_PERCENT = 0.1;

/** A bar of several steps shows the first of these that one of them is in. */
const GRAVEST_FIRST = ["exception", "failure", "running", "abandoned", "cancelled", "retry", "warnings", "success", "finished", "skipped"];
const MARKED = new Set(["exception", "failure"]);

const percent = (share) => `${share.toFixed(2)}%`;

/**
 * The bars of the build, a REST shape with `steps`, at `now`: `{bars, lanes, usual, summary}`, a bar being `{number,
 * first, last, status, label, x, width, lane, isMarked}`. `usual` is the usual duration in seconds or null, `heard` when
 * the writer of an abandoned build was last heard; moments are ms since the epoch.
 */
export function timelineOf(build, { usual, heard, now }) {
  const began = Date.parse(build.started_at);
  const endOf = (noun) => (noun.finished_at ? Date.parse(noun.finished_at) : noun.state === "abandoned" ? heard : now);
  const elapsed = Math.max(0, (endOf(build) - began) / 1000);
  const spans = spansOf(build.steps, began, endOf);
  let whole = Math.max(elapsed, ...spans.map((span) => span.end));
  if (usual !== null && build.state === "running") whole = Math.max(whole, usual);
  whole ||= 1;
  const lanes = lanesOf(spans, (whole * OVERLAP_PERCENT) / 100);
  return {
    bars: spans.map((span, place) => barOf(span, lanes[place], whole)),
    lanes: Math.max(0, ...lanes) + 1,
    usual: usual !== null && usual <= whole ? percent((usual / whole) * 100) : null,
    summary: summaryOf(build.steps.length, elapsed, usual),
  };
}

function spansOf(steps, began, endOf) {
  const size = Math.max(1, Math.ceil(steps.length / MAX_BARS));
  const spans = [];
  for (let place = 0; place < steps.length; place += size) {
    const group = steps.slice(place, place + size);
    const times = group.map((step) => {
      const start = Date.parse(step.started_at);
      const from = Math.max(0, (start - began) / 1000);
      return { from, to: from + Math.max(0, (endOf(step) - start) / 1000) };
    });
    const start = Math.min(...times.map(({ from }) => from));
    spans.push({ steps: group, start, end: Math.max(...times.map(({ to }) => to)) });
  }
  return spans;
}

/** The lane of each span: the first one that is free, or, where all are taken, the one that is free soonest. */
function lanesOf(spans, overlap) {
  const ends = [];
  return spans.map(({ start, end }) => {
    let lane = ends.findIndex((each) => each <= start + overlap);
    if (lane === -1 && ends.length < MAX_LANES) lane = ends.push(0) - 1;
    if (lane === -1) lane = ends.indexOf(Math.min(...ends));
    ends[lane] = Math.max(ends[lane], end);
    return lane;
  });
}

function barOf({ steps, start, end }, lane, whole) {
  const words = steps.map(statusWord);
  const status = GRAVEST_FIRST.find((word) => words.includes(word));
  const width = Math.max(NARROWEST_PERCENT, ((end - start) / whole) * 100);
  return {
    number: steps[words.indexOf(status)].number,
    first: steps[0].number,
    last: steps.at(-1).number,
    status,
    label: labelOf(steps, words, durationText(end - start)),
    x: percent(Math.min((start / whole) * 100, 100 - width)),
    width: percent(width),
    lane,
    isMarked: MARKED.has(status),
  };
}

function labelOf(steps, words, took) {
  if (steps.length === 1) {
    const name = [...steps[0].name].slice(0, MAX_LABEL_CHARACTERS).join("");
    return `${name}: ${words[0]}, ${took}`;
  }
  const counts = GRAVEST_FIRST.map((word) => [words.filter((each) => each === word).length, word]);
  const told = counts.filter(([count]) => count > 0).map(([count, word]) => `${count} ${word}`);
  return `steps ${steps[0].number} to ${steps.at(-1).number}: ${told.join(", ")}, ${took}`;
}

function summaryOf(count, elapsed, usual) {
  const held = usual === null ? "" : `, usually ${durationText(usual)}`;
  return `Timeline of ${count === 1 ? "1 step" : `${count} steps`} in ${durationText(elapsed)}${held}`;
}
