import { ageText, durationText } from "./moments.js";

/**
 * Keeps the page's times true, once a second: `<time data-started>` without `data-finished` goes on, `<time data-age>`
 * grows older. A hidden tab is left alone until it is seen again.
 */

const TICK_MS = 1000;

/** Shows what a `<time data-started [data-finished]>` element stands for. */
export function showElapsed(element, now = Date.now()) {
  const { started, finished } = element.dataset;
  const seconds = Math.max(0, ((finished ? Date.parse(finished) : now) - Date.parse(started)) / 1000);
  const text = durationText(seconds);
  if (element.textContent !== text) {
    element.textContent = text;
    element.dateTime = `PT${Math.floor(seconds)}S`;
  }
}

function showAge(element, now) {
  const text = ageText(Date.parse(element.dateTime), now);
  if (element.textContent !== text) element.textContent = text;
}

function tick() {
  if (document.hidden) return;
  const now = Date.now();
  for (const element of document.querySelectorAll("time[data-started]:not([data-finished])")) showElapsed(element, now);
  for (const element of document.querySelectorAll("time[data-age]")) showAge(element, now);
}

setInterval(tick, TICK_MS);
document.addEventListener("visibilitychange", tick);
