// A classic script: the page's modules, some sixty of them, do not compete with its first picture, which has the lines
// that are read first. They wait in a template until it is drawn, or for half a second where nothing is.
(() => {
  const LONGEST_MS = 500;
  const start = () => {
    for (const waiting of document.querySelectorAll("template[data-after-paint]")) waiting.replaceWith(waiting.content);
  };
  setTimeout(start, LONGEST_MS);
  requestAnimationFrame(() => setTimeout(start));

  // The lines on the page are where it opens by itself, and not what an address with a mark is for.
  if (location.hash !== "") for (const preview of document.querySelectorAll(".log-preview")) preview.remove();
})();
