import { LANE_PX, timelineOf } from "./timeline.js";

/**
 * Draws a build's timeline into the `<svg>` that the server drew. It changes only what differs, so that focus and the
 * pointer's place survive; arrow keys, Home and End go from bar to bar, of which one is a stop of the Tab key.
 */

const SVG = "http://www.w3.org/2000/svg";
const BAR_PX = 8;
const DIAMOND = "m3 0 3 3-3 3-3-3z";

/** Where the key leads from the bar at `place` among `count`, or null. */
export function placeAfterKey(key, place, count) {
  const places = { ArrowLeft: place - 1, ArrowRight: place + 1, Home: 0, End: count - 1 };
  return Object.hasOwn(places, key) ? Math.min(count - 1, Math.max(0, places[key])) : null;
}

function makeSvg(name, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [attribute, value] of Object.entries(attributes)) element.setAttribute(attribute, value);
  element.append(...children);
  return element;
}

function set(element, attribute, value) {
  if (element.getAttribute(attribute) !== String(value)) element.setAttribute(attribute, value);
}

export class TimelineView {
  #element;
  #usual;

  constructor(element) {
    this.#element = element;
    const { usual } = element.dataset;
    this.#usual = usual ? Number(usual) : null;
    element.addEventListener("keydown", (event) => this.#pressed(event));
  }

  /**
   * Draws the build, a REST shape with `steps`; `chosen` is the step that is shown, or null, `heard` when the writer of
   * an abandoned build was last heard, else null.
   */
  show(build, chosen, heard, now = Date.now()) {
    const timeline = timelineOf(build, { usual: this.#usual, heard: heard ?? now, now });
    this.#element.toggleAttribute("hidden", timeline.bars.length === 0);
    set(this.#element, "height", timeline.lanes * LANE_PX);
    set(this.#element, "aria-label", timeline.summary);
    const items = this.#items;
    timeline.bars.forEach((bar, place) => {
      const item = items[place] ?? this.#add();
      const here = chosen !== null && bar.first <= chosen.number && chosen.number <= bar.last;
      this.#showBar(item.firstElementChild, bar, here);
    });
    for (const item of items.slice(timeline.bars.length)) item.remove();
    this.#showUsual(timeline);
  }

  get #items() {
    return [...this.#element.querySelectorAll("g")];
  }

  #add() {
    const link = makeSvg("a", {}, makeSvg("title"), makeSvg("rect", { class: "span", height: BAR_PX, rx: 1 }));
    const item = makeSvg("g", { role: "listitem" }, link);
    this.#element.insertBefore(item, this.#element.querySelector("line"));
    return item;
  }

  #showBar(link, bar, here) {
    const y = bar.lane * LANE_PX;
    set(link, "class", `is-${bar.status}`);
    set(link, "href", `?step=${bar.number}`);
    set(link, "aria-label", bar.label);
    set(link, "tabindex", here ? 0 : -1);
    if (here) set(link, "aria-current", "true");
    else link.removeAttribute("aria-current");
    const [title, span, mark] = link.children;
    if (title.textContent !== bar.label) title.textContent = bar.label;
    set(span, "x", bar.x);
    set(span, "y", y);
    set(span, "width", bar.width);
    if (!bar.isMarked) mark?.remove();
    else this.#showMark(mark ?? link.appendChild(makeSvg("svg", { class: "mark", overflow: "visible" }, makeSvg("path", { d: DIAMOND }))), bar, y);
  }

  #showMark(mark, bar, y) {
    set(mark, "x", bar.x);
    set(mark, "y", y + BAR_PX + 1);
  }

  #showUsual({ usual, lanes }) {
    let line = this.#element.querySelector("line");
    if (usual === null) {
      line?.remove();
      return;
    }
    line ??= this.#element.appendChild(makeSvg("line", { class: "usual", y1: 0, "aria-hidden": "true" }));
    set(line, "x1", usual);
    set(line, "x2", usual);
    set(line, "y2", lanes * LANE_PX);
  }

  #pressed(event) {
    const links = this.#items.map((item) => item.firstElementChild);
    const place = links.indexOf(event.target.closest("a"));
    const next = place === -1 ? null : placeAfterKey(event.key, place, links.length);
    if (next === null) return;
    event.preventDefault();
    for (const [at, link] of links.entries()) set(link, "tabindex", at === next ? 0 : -1);
    links[next].focus();
  }
}
