/**
 * Lengths and moments of time as the pages say them; logviewer/pages/moments.py says them in the same words.
 */

const MINUTE = 60;
const HOUR = 3600;
const DAY = 86400;
const JUST_NOW_SECONDS = 45;
const DAYS_UNTIL_A_DATE = 30;

const two = (number) => String(number).padStart(2, "0");

/** A length of time in its two largest units: `42s`, `4m 05s`, `2h 03m`, `3d 4h`; a negative one is `0s`. */
export function durationText(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < MINUTE) return `${whole}s`;
  if (whole < HOUR) return `${Math.floor(whole / MINUTE)}m ${two(whole % MINUTE)}s`;
  if (whole < DAY) return `${Math.floor(whole / HOUR)}h ${two(Math.floor((whole % HOUR) / MINUTE))}m`;
  return `${Math.floor(whole / DAY)}d ${Math.floor((whole % DAY) / HOUR)}h`;
}

/** How long ago `then` was, seen from `now`; both in ms since the epoch. */
export function ageText(then, now) {
  const seconds = Math.floor((now - then) / 1000);
  if (seconds < JUST_NOW_SECONDS) return "just now";
  if (seconds < HOUR) return `${Math.max(1, Math.floor(seconds / MINUTE))} min ago`;
  if (seconds < DAY) return `${Math.floor(seconds / HOUR)} h ago`;
  if (seconds < DAYS_UNTIL_A_DATE * DAY) return `${Math.floor(seconds / DAY)} d ago`;
  return new Date(then).toISOString().slice(0, 10);
}
