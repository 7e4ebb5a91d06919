/**
 * What is higher is scaled: Chromium clamps elements at 33,554,428 px, Firefox lets them collapse above 17,895,696.
 * With rows of 20 px the browser scrolls by itself up to 400,000 rows.
 */
export const MAX_SPACE_PX = 8_000_000;

/**
 * The way between the browser's scroll position and the place in a log of any height.
 *
 * A *place* is the distance in px from the log's beginning to the upper edge of what is seen, as if nothing limited
 * it. Below MAX_SPACE_PX it is the browser's position; above, the browser's position is in proportion.
 */
export class ScrollSpace {
  #height = 0;
  #view = 0;

  /** @param {number} height of all rows, px @param {number} view height of what is seen, px */
  set(height, view) {
    this.#height = height;
    this.#view = view;
  }

  get isScaled() {
    return this.#height > MAX_SPACE_PX;
  }

  /** Height of the element that is scrolled. */
  get canvas() {
    return Math.min(this.#height, MAX_SPACE_PX);
  }

  /** The last place: the end of the log is at the lower edge. */
  get end() {
    return Math.max(0, this.#height - this.#view);
  }

  /** The browser's position at the end. */
  get topEnd() {
    return Math.max(0, this.canvas - this.#view);
  }

  clamp(place) {
    return Math.max(0, Math.min(place, this.end));
  }

  topOf(place) {
    if (!this.isScaled) return this.clamp(place);
    return (this.clamp(place) / this.end) * this.topEnd;
  }

  placeOf(top) {
    if (!this.isScaled) return this.clamp(top);
    if (top >= this.topEnd - 1) return this.end;
    return (Math.max(0, top) / this.topEnd) * this.end;
  }
}
