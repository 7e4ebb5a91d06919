// A classic script, which runs before anything is drawn: a page that is to be dark is never light for a moment.
(() => {
  try {
    const theme = JSON.parse(localStorage.getItem("buildlogs.theme"));
    if (theme === "light" || theme === "dark") document.documentElement.style.setProperty("color-scheme", theme);
  } catch {
    // Storage that is denied, or nonsense in it: as the system has it.
  }
})();
