/** How often lines that come are drawn, and where more than a screen of them come in between, which nobody reads. */
export const LIVE_DRAW_MS = 50;
export const FLOOD_DRAW_MS = 100;

/** Says when to draw: in one animation frame whatever asks for it, and for lines that come not more often than is seen. */
export class DrawPace {
  #draw;
  #window;
  #frame = null;
  #timer = null;
  #drawnAt = 0;
  #drawnTotal = 0;
  #wait = LIVE_DRAW_MS;

  /** @param {() => void} draw */
  constructor(draw, window) {
    this.#draw = draw;
    this.#window = window;
  }

  /** In the next frame. */
  soon() {
    this.#frame ??= this.#window.requestAnimationFrame(() => {
      this.#frame = null;
      this.#window.clearTimeout(this.#timer);
      this.#timer = null;
      this.#drawnAt = this.#window.performance.now();
      this.#draw();
    });
  }

  /** Lines came. */
  live() {
    const wait = this.#drawnAt + this.#wait - this.#window.performance.now();
    if (wait <= 0) this.soon();
    else this.#timer ??= this.#window.setTimeout(() => this.soon(), wait);
  }

  /** It was drawn: with so many lines in all, of which so many are seen. */
  drew(total, seen) {
    const came = total - this.#drawnTotal;
    if (came !== 0) this.#wait = came > seen ? FLOOD_DRAW_MS : LIVE_DRAW_MS;
    this.#drawnTotal = total;
  }

  close() {
    if (this.#frame !== null) this.#window.cancelAnimationFrame(this.#frame);
    this.#window.clearTimeout(this.#timer);
  }
}
