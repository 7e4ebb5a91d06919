/**
 * Icons of the log's own controls, from lucide (ISC licence): paths on a grid of 24 by 24.
 */

const PATHS = {
  end: ["M12 17V3", "m6 11 6 6 6-6", "M19 21H5"],
  wrap: ["M3 6h18", "M3 12h15a3 3 0 1 1 0 6h-4", "m16 16-2 2 2 2", "M3 18h7"],
  raw: [
    "M15 2H6a2 2 0 0 0-2 2v16a2 2 0 0 0 2 2h12a2 2 0 0 0 2-2V7Z",
    "M14 2v4a2 2 0 0 0 2 2h4",
    "M16 13H8",
    "M16 17H8",
  ],
  down: ["M12 5v14", "m19 12-7 7-7-7"],
};

const SVG = "http://www.w3.org/2000/svg";

/** @param {keyof PATHS} name */
export function createIcon(document, name) {
  const icon = document.createElementNS(SVG, "svg");
  icon.setAttribute("class", "log-icon");
  icon.setAttribute("viewBox", "0 0 24 24");
  icon.setAttribute("aria-hidden", "true");
  for (const d of PATHS[name]) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", d);
    icon.append(path);
  }
  return icon;
}
