import { askEarly } from "./first-lines.js";

for (const element of document.querySelectorAll("[data-log-viewer]")) {
  if (location.hash !== "") element.querySelector(".log-preview")?.remove(); // it shows where the page opens by itself
  askEarly(element);
}
