import { askEarly } from "./first-lines.js";

for (const element of document.querySelectorAll("[data-log-viewer]")) askEarly(element);
