/** So long the next jump waits for the last one; its lines may never come, or the reader may have scrolled away. */
const ARRIVAL_MS = 2_000;

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Goes to lines wherever they are: in a fold, which opens, or in a channel that is not shown, which then is. */
export class LineJumps {
  #viewer;
  #reveal;
  #showAllChannels;
  #say;

  /**
   * @param {LogViewer} viewer
   * @param {{reveal: (line: number) => void, showAllChannels: () => void, say: (words: string) => void}} around
   */
  constructor(viewer, { reveal, showAllChannels, say }) {
    this.#viewer = viewer;
    this.#reveal = reveal;
    this.#showAllChannels = showAllChannels;
    this.#say = say;
  }

  async go(line) {
    this.#reveal(line);
    try {
      if ((await this.#arrive(line)) && this.#isFilteredOut(line)) {
        await this.#showAll();
        await this.#arrive(line);
      }
    } catch (error) {
      this.#say(error.message); // the server does not say where the line is: LinesRefused
    }
  }

  /** @returns {Promise<boolean>} whether the line, or the next one that is shown, was drawn in time */
  #arrive(line) {
    const gone = this.#viewer.goTo(line, { center: true }).then(() => true);
    return Promise.race([gone, pause(ARRIVAL_MS).then(() => false)]);
  }

  /** Of a line that was gone to: it was sent for, but is of a channel that is not shown. */
  #isFilteredOut(line) {
    const { store, element } = this.#viewer;
    return store.channels !== null && element.querySelector(`.log-row[data-line="${line}"]`) === null;
  }

  /** Shows all channels; resolves once it is known how many lines that are. */
  async #showAll() {
    const { store, element, signal } = this.#viewer;
    const known = new AbortController();
    const counted = new Promise((resolve) => {
      const drawn = () => store.total > 0 && resolve();
      element.addEventListener("log:rows", drawn, { signal: AbortSignal.any([signal, known.signal]) });
    });
    this.#showAllChannels();
    await Promise.race([counted, pause(ARRIVAL_MS)]);
    known.abort();
  }
}
