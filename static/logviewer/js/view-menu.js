import { make } from "./elements.js";
import { CHANNELS, isShown } from "./filters.js";
import { createIcon } from "./icons.js";
import { THEMES } from "./preferences.js";
import { TIME_MODES, TIME_MODE_NAMES } from "./times.js";

const THEME_NAMES = { auto: "As the system", light: "Light", dark: "Dark" };
/** Between the button and the menu, and the menu and the window's edge. */
const DISTANCE_PX = 6;

/**
 * The menu of how the log is shown. It only shows and asks: `actions` are `setTimes(mode)`, `toggleChannel(channel)`,
 * `onlyChannel(channel)`, `setTheme(theme)`, `stepFontSize(step)`, `toggleFolds()`, `longestGap()`, `fullScreen()`,
 * `goTo()` and `help()`.
 */
export class ViewMenu {
  #actions;
  #signal;
  #button;
  #menu;
  #times;
  #themes;
  #channels = new Map();
  #size;
  #folds;
  #gaps;

  /** @param {LogViewer} viewer */
  constructor(viewer, actions) {
    this.#actions = actions;
    this.#signal = viewer.signal;
    this.#menu = this.#make();
    this.#button = viewer.view.button("view", "View", "How the log is shown", () => {});
    this.#button.setAttribute("aria-haspopup", "dialog");
    this.#button.popoverTargetElement = this.#menu;
    this.#menu.addEventListener("beforetoggle", (event) => this.#place(event), { signal: this.#signal });
    viewer.view.tools.append(this.#button);
    viewer.element.append(this.#menu);
  }

  /**
   * @param {{times: string, theme: string, fontSize: number, channels: number[] | null, folds: boolean,
   *   allOpen: boolean, gaps: number}} state `folds`: whether there are any
   */
  show({ times, theme, fontSize, channels, folds, allOpen, gaps }) {
    this.#times.get(times).checked = true;
    this.#themes.get(theme).checked = true;
    for (const [channel, box] of this.#channels) box.checked = isShown(channels, channel);
    this.#size.textContent = `${fontSize} px`;
    this.#folds.hidden = !folds;
    this.#folds.textContent = allOpen ? "Fold all sections" : "Unfold all sections";
    this.#gaps.hidden = gaps === 0;
  }

  close() {
    if (this.#menu.matches(":popover-open")) this.#menu.hidePopover();
  }

  #make() {
    this.#times = new Map();
    this.#themes = new Map();
    this.#size = make("output", { class: "log-menu-size" });
    this.#folds = this.#item("Fold all sections", () => this.#actions.toggleFolds(), "z");
    this.#gaps = this.#item("Go to the longest silence", () => this.#actions.longestGap(), "s");
    const item = (label, action, key) => this.#item(label, () => this.#actions[action](), key);
    return make(
      "div",
      { class: "log-menu", popover: "auto", role: "dialog", "aria-label": "How the log is shown" },
      this.#radios("Times", "times", TIME_MODES, TIME_MODE_NAMES, this.#times, (mode) => this.#actions.setTimes(mode)),
      this.#channelBoxes(),
      this.#radios("Theme", "theme", THEMES, THEME_NAMES, this.#themes, (theme) => this.#actions.setTheme(theme)),
      this.#sizes(),
      make("div", { class: "log-menu-items" }, this.#gaps, this.#folds, item("Go to a line…", "goTo", "g"),
        item("Full screen", "fullScreen", "Shift F"), item("Keys…", "help", "?")),
    );
  }

  #radios(legend, name, values, names, boxes, act) {
    const group = make("fieldset", { class: "log-menu-group" }, make("legend", {}, legend));
    for (const value of values) {
      const box = make("input", { type: "radio", name: `log-${name}`, value });
      box.addEventListener("change", () => act(value), { signal: this.#signal });
      boxes.set(value, box);
      group.append(make("label", {}, box, names[value]));
    }
    return group;
  }

  #channelBoxes() {
    const group = make("fieldset", { class: "log-menu-group" }, make("legend", {}, "Channels"));
    for (const { channel, name, title } of CHANNELS) {
      const box = make("input", { type: "checkbox" });
      box.addEventListener("change", () => this.#actions.toggleChannel(channel), { signal: this.#signal });
      this.#channels.set(channel, box);
      const only = make("button", { class: "log-menu-only", type: "button", "aria-label": `Only ${name}` }, "only");
      only.addEventListener("click", () => this.#actions.onlyChannel(channel), { signal: this.#signal });
      group.append(make("div", { class: "log-menu-channel" }, make("label", { title }, box, name), only));
    }
    return group;
  }

  #sizes() {
    const step = (icon, name, by) => {
      const named = { title: name, "aria-label": name };
      const button = make("button", { class: "log-button log-icon-button", type: "button", ...named });
      button.append(createIcon(document, icon));
      button.addEventListener("click", () => this.#actions.stepFontSize(by), { signal: this.#signal });
      return button;
    };
    return make("fieldset", { class: "log-menu-group log-menu-sizes" }, make("legend", {}, "Text"),
      step("minus", "Smaller text (-)", -1), this.#size, step("plus", "Larger text (+)", 1));
  }

  #item(label, act, key) {
    const button = make("button", { class: "log-menu-item", type: "button" }, label);
    button.dataset.key = key;
    const chosen = () => {
      this.close();
      act();
    };
    button.addEventListener("click", chosen, { signal: this.#signal });
    return button;
  }

  /** Under its button; the top layer knows no other elements. */
  #place({ newState }) {
    if (newState !== "open") return;
    const { bottom, right } = this.#button.getBoundingClientRect();
    const { clientWidth, clientHeight } = document.documentElement;
    const style = this.#menu.style;
    style.setProperty("inset-block-start", `${bottom + DISTANCE_PX}px`);
    style.setProperty("inset-inline-end", `${Math.max(DISTANCE_PX, clientWidth - right)}px`);
    style.setProperty("max-block-size", `${Math.max(160, clientHeight - bottom - 2 * DISTANCE_PX)}px`);
  }
}
