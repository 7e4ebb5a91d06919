import { writeClipboard } from "./clipboard.js";

/** So long a button says what became of a click. */
const SAID_MS = 4_000;

/** A button that copies the address of a link, whatever that is by then; it is hidden until there is a script. */
export function copiesLink(button, link) {
  const words = button.querySelector("[role=status]");
  const usual = words.textContent;
  let timer = null;
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await writeClipboard(Promise.resolve(link.href));
      words.textContent = "Link copied";
    } catch (error) {
      words.textContent = error.message;
    }
    clearTimeout(timer);
    timer = setTimeout(() => (words.textContent = usual), SAID_MS);
  });
}
