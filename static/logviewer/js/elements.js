/** Elements made by calls, never from markup: text is text whatever it holds, and Trusted Types have nothing to stop. */

const SVG = "http://www.w3.org/2000/svg";

/** `make("a", {class: "step", href: "?step=1"}, "text", child, …)`; attributes that are null or false are left out. */
export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) element.setAttribute(attribute, value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** An icon of the sprite. */
export function makeIcon(sprite, name) {
  const icon = document.createElementNS(SVG, "svg");
  icon.setAttribute("class", "icon");
  icon.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `${sprite}#${name}`);
  icon.append(use);
  return icon;
}

/** A status: shape, colour and word. */
export function makeStatus(sprite, word, form = "") {
  const text = make("span", { class: "status-word" }, word);
  return make("span", { class: `status is-${word} ${form}`.trim() }, makeIcon(sprite, word), text);
}
