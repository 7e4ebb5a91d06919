import { LogViewer } from "./log-viewer.js";

/**
 * Mounts a viewer on every `[data-log-viewer]` of `root` that no build page looks after.
 *
 * @returns {LogViewer[]}
 */
export function mountLogViewers(root = document) {
  const elements = [...root.querySelectorAll("[data-log-viewer]")];
  return elements.filter((element) => !element.closest("[data-build-page]")).map((element) => new LogViewer(element));
}

let viewers = mountLogViewers();

// A page in the back/forward cache must hold no connection; it mounts anew when it is shown again.
addEventListener("pagehide", () => {
  for (const viewer of viewers) viewer.close();
  viewers = [];
});
addEventListener("pageshow", (event) => {
  if (event.persisted) viewers = mountLogViewers();
});
