import { make } from "./elements.js";

/** The dialog that asks for the number of a line. */
export class GoToLine {
  #viewer;
  #dialog;
  #input;
  #label;

  /** @param {(line: number) => void} go */
  constructor(viewer, go) {
    this.#viewer = viewer;
    const whole = { type: "number", min: "1", step: "1", required: "", inputmode: "numeric" };
    this.#input = make("input", { class: "log-line-number", ...whole });
    this.#label = make("span", {});
    const form = make(
      "form",
      { method: "dialog", class: "log-go-to" },
      make("label", {}, this.#label, this.#input),
      make("button", { class: "log-go" }, "Go"),
    );
    this.#dialog = make("dialog", { class: "log-dialog", "aria-label": "Go to a line" }, form);
    const { signal } = viewer;
    form.addEventListener("submit", () => go(this.#input.valueAsNumber), { signal });
    this.#dialog.addEventListener("click", ({ target }) => target === this.#dialog && this.#dialog.close(), { signal });
    viewer.element.append(this.#dialog);
  }

  open() {
    const lines = Math.max(1, this.#viewer.log.lines);
    this.#input.max = String(lines);
    this.#label.textContent = `Line, 1 to ${lines.toLocaleString("en")}`;
    this.#input.value = "";
    this.#dialog.showModal();
  }
}
