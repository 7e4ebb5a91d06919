import { ROW_PX } from "./scroller.js";

const LINE_MODE = 1;
const PAGE_MODE = 2;
const ARROW_ROWS = 3;
/** Of a finger's speed what is left after a frame, and when it has come to rest (px a frame). */
const GLIDE_LEFT = 0.95;
const REST_PX = 0.5;

/**
 * Scrolling where the browser's own does not do, since the scroll bar is not to scale: wheel, keys and fingers move
 * by pixels. While the browser scrolls by itself this only tells `onMove` that the reader turns the wheel up.
 */
export class OwnScrolling {
  #viewport;
  #scroller;
  #onMove;
  #window;
  #finger = null;
  #glide = null;
  #takesWheel = false;

  /**
   * @param {HTMLElement} viewport
   * @param {import("./scroller.js").Scroller} scroller
   * @param {(direction: "up" | "down") => void} onMove the reader moved; it is to be drawn
   * @param {AbortSignal} signal
   */
  constructor(viewport, scroller, onMove, signal) {
    this.#viewport = viewport;
    this.#scroller = scroller;
    this.#onMove = onMove;
    this.#window = viewport.ownerDocument.defaultView;
    viewport.addEventListener("wheel", (event) => this.#noticeWheel(event), { signal, passive: true });
    viewport.addEventListener("pointerdown", (event) => this.#touch(event), { signal });
    viewport.addEventListener("pointermove", (event) => this.#drag(event), { signal });
    for (const end of ["pointerup", "pointercancel"]) {
      viewport.addEventListener(end, (event) => this.#release(event), { signal });
    }
    signal.addEventListener("abort", () => this.#stopGliding());
  }

  /** Call after each drawing: a listener that may stop the wheel makes the browser wait for it. */
  update() {
    const { isScaled } = this.#scroller;
    if (isScaled === this.#takesWheel) return;
    this.#takesWheel = isScaled;
    if (isScaled) this.#viewport.addEventListener("wheel", this.#wheel, { passive: false });
    else this.#viewport.removeEventListener("wheel", this.#wheel);
  }

  /** @returns {boolean} whether the key was one that scrolls, and was taken */
  press({ key, shiftKey, target }) {
    if (key === " " && target.closest("button") !== null) return false; // it presses the button
    // Heights that get known while wrapping would end the browser's own way there.
    if (!this.#scroller.isScaled && !this.#scroller.wrap) return false;
    const page = this.#scroller.pagePx;
    const moves = {
      ArrowDown: ARROW_ROWS * ROW_PX,
      ArrowUp: -ARROW_ROWS * ROW_PX,
      PageDown: page,
      PageUp: -page,
      " ": shiftKey ? -page : page,
    };
    if (key === "Home") this.#scroller.moveToStart();
    else if (key === "End") this.#scroller.moveToEnd();
    else if (key in moves) this.#scroller.moveBy(moves[key]);
    else return false;
    this.#onMove(key === "Home" || moves[key] < 0 ? "up" : "down");
    return true;
  }

  #noticeWheel({ ctrlKey, deltaY }) {
    const moves = !ctrlKey && deltaY < 0 && this.#viewport.scrollTop > 0;
    if (moves && !this.#scroller.isScaled) this.#onMove("up");
  }

  #wheel = (event) => {
    if (event.ctrlKey || event.deltaY === 0) return;
    event.preventDefault();
    const unit = { [LINE_MODE]: ROW_PX, [PAGE_MODE]: this.#scroller.pagePx }[event.deltaMode] ?? 1;
    if (event.deltaX !== 0) this.#viewport.scrollLeft += event.deltaX * unit;
    this.#move(event.deltaY * unit);
  };

  #move(px) {
    this.#scroller.moveBy(px);
    this.#onMove(px < 0 ? "up" : "down");
  }

  // Fingers: log.css leaves them the horizontal way only (touch-action) where rows are moved from here.

  #touch(event) {
    this.#stopGliding();
    if (event.pointerType !== "touch" || !this.#scroller.isScaled) return;
    this.#finger = { id: event.pointerId, y: event.clientY, speed: 0 };
  }

  #drag(event) {
    if (this.#finger?.id !== event.pointerId) return;
    const px = this.#finger.y - event.clientY;
    this.#finger = { ...this.#finger, y: event.clientY, speed: 0.6 * px + 0.4 * this.#finger.speed };
    if (px !== 0) this.#move(px);
  }

  #release(event) {
    if (this.#finger?.id !== event.pointerId) return;
    const { speed } = this.#finger;
    this.#finger = null;
    if (event.type === "pointerup") this.#glideOn(speed);
  }

  #glideOn(speed) {
    this.#glide = this.#window.requestAnimationFrame(() => {
      this.#glide = null;
      if (Math.abs(speed) < REST_PX || !this.#scroller.isScaled) return;
      this.#move(speed);
      this.#glideOn(speed * GLIDE_LEFT);
    });
  }

  #stopGliding() {
    if (this.#glide !== null) this.#window.cancelAnimationFrame(this.#glide);
    this.#glide = null;
  }
}
