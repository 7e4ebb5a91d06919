/**
 * Puts text into the clipboard that may take a moment to come: browsers that take a promise (Chromium, Safari) are
 * given one, so that the click still counts when the text is there. Pages that are not served securely have no
 * clipboard of their own and copy as pages always did.
 *
 * @param {Promise<string>} text
 * @returns {Promise<void>} rejects as `text` does, or where the browser refuses
 */
export async function writeClipboard(text) {
  const { clipboard } = navigator;
  if (!clipboard) {
    copyOldWay(await text);
  } else if (typeof ClipboardItem === "function") {
    const blob = text.then((words) => new Blob([words], { type: "text/plain" }));
    // Some browsers hide the reason of a promise that was rejected behind one of their own.
    await Promise.all([clipboard.write([new ClipboardItem({ "text/plain": blob })]), text]);
  } else {
    await clipboard.writeText(await text);
  }
}

function copyOldWay(text) {
  const put = (event) => {
    event.clipboardData.setData("text/plain", text);
    event.preventDefault();
    event.stopImmediatePropagation();
  };
  document.addEventListener("copy", put, { capture: true, once: true });
  const copied = document.execCommand("copy");
  document.removeEventListener("copy", put, { capture: true });
  if (!copied) throw new Error("The browser does not let this page copy.");
}
