import { writeClipboard } from "./clipboard.js";

/** So long a button says what became of a click. */
const SAID_MS = 4_000;

/** A button that copies the address of a link, whatever that is by then; behind it stands an element that says so. */
export function copiesLink(button, link) {
  const words = button.lastElementChild;
  const usual = words.textContent;
  let timer = null;
  const say = (text) => {
    words.textContent = button.nextElementSibling.textContent = text;
    clearTimeout(timer);
    timer = setTimeout(() => {
      words.textContent = usual;
      button.nextElementSibling.textContent = "";
    }, SAID_MS);
  };
  button.hidden = false; // without a script it would do nothing
  button.addEventListener("click", async () => {
    try {
      await writeClipboard(Promise.resolve(link.href));
      say("Link copied");
    } catch (error) {
      say(error.message);
    }
  });
}
