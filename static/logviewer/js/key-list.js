import { make } from "./elements.js";
import { createIcon } from "./icons.js";
import { KEYS, capsOf } from "./keys.js";

function entry({ keys, says }) {
  const caps = keys.flatMap((name, at) => {
    const parts = capsOf(name).map((cap) => make("kbd", {}, cap));
    return at === 0 ? parts : ["or", ...parts];
  });
  return make("div", { class: "log-key" }, make("dt", {}, ...caps), make("dd", {}, says));
}

/** The dialog that lists the keys. */
export class KeyList {
  #dialog;

  constructor(viewer) {
    const close = make("button", { class: "log-button log-icon-button", "aria-label": "Close", title: "Close (Esc)" });
    close.append(createIcon(document, "close"));
    const groups = KEYS.map(({ group, keys }) =>
      make("section", { class: "log-key-group" }, make("h3", {}, group), make("dl", {}, ...keys.map(entry))),
    );
    this.#dialog = make(
      "dialog",
      { class: "log-dialog log-keys", "aria-label": "Keys" },
      make("form", { method: "dialog", class: "log-dialog-head" }, make("h2", {}, "Keys"), close),
      make("div", { class: "log-key-groups" }, ...groups),
    );
    // A click beside the dialog lands on the dialog itself: what is within it fills it.
    const beside = ({ target }) => target === this.#dialog && this.#dialog.close();
    this.#dialog.addEventListener("click", beside, { signal: viewer.signal });
    viewer.element.append(this.#dialog);
  }

  open() {
    this.#dialog.showModal();
  }
}
