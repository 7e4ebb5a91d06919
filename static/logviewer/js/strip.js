/** A row of builds is one tab stop: the arrow keys, Home and End go from build to build. */

const TARGETS = {
  ArrowLeft: (links, place) => links[place - 1],
  ArrowRight: (links, place) => links[place + 1],
  Home: (links) => links[0],
  End: (links) => links.at(-1),
};

document.addEventListener("keydown", (event) => {
  const strip = event.target.closest?.("[data-strip]");
  if (!strip || event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return;
  const links = [...strip.querySelectorAll("a")];
  const target = TARGETS[event.key]?.(links, links.indexOf(document.activeElement));
  if (!target) return;
  event.preventDefault();
  for (const link of links) link.setAttribute("tabindex", link === target ? "0" : "-1");
  target.focus();
});
