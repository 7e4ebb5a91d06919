import { firstError } from "./first-error.js";
import { errorOrder, firstWithErrors, isBad } from "./build-state.js";

/** Errors are recognised a moment after the last output came, later where the server has much to do. */
const LOOK_AFTER_MS = [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000];
/** Of the logs that may yet say an earlier error, so many are asked in one look: a build may have thousands. */
const MAX_ASKED = 16;

/**
 * Which error of a build is told, and whether it is the first. While not all logs have been looked through, only those
 * of failed steps count: what a step that passed calls an error is rarely why a build failed.
 */
export class BuildError {
  #show;
  #fetch;
  #told;
  #wanted = null;
  /** Ids of logs that were looked through and have no error. */
  #clear = new Set();

  /**
   * `show(step, log, error)` draws an error; `told` is the one that the page came with, `{step, log}`, the step's number
   * and the log's slug, or null.
   */
  constructor({ show, told = null, fetch = globalThis.fetch }) {
    this.#show = show;
    this.#told = told && keyOf(told.step, told.log);
    this.#fetch = (address) => fetch(address);
  }

  /** Tells the first error known of a build, a REST shape with `steps`, that may go on. */
  async hear(build) {
    if (isBad(build)) await this.#tell(firstWithErrors(build.steps.filter(isBad)));
  }

  /**
   * Goes on until the first error is sure, or for minutes: `read` gives the build as it is now, or null. Whoever cannot
   * be asked is asked again.
   */
  async settle(build, read, wait = (ms) => new Promise((done) => setTimeout(done, ms))) {
    if (!isBad(build) || (await this.#look(build))) return;
    for (const delay of LOOK_AFTER_MS) {
      await wait(delay);
      const now = await read();
      if (now && (await this.#look(now))) return;
    }
  }

  /** Returns whether what is told now is the first error for good. */
  async #look(build) {
    let asked = 0;
    for (const { step, log } of errorOrder(build.steps)) {
      if (log.errors > 0) return this.#tell({ step, log });
      if (this.#clear.has(log.id)) continue;
      const marks = asked < MAX_ASKED ? await this.#marks(log) : null;
      asked += 1;
      const errors = marks?.counts?.errors ?? 0;
      if (errors > 0) return this.#tell({ step, log: { ...log, errors } });
      if (!marks?.complete) {
        await this.hear(build);
        return false;
      }
      this.#clear.add(log.id);
    }
    return true;
  }

  /** Returns whether the first error of that log is told; of two that are asked for at once, the later one stays. */
  async #tell(found) {
    if (!found) return false;
    const { step, log } = found;
    const key = keyOf(step.number, log.slug);
    this.#wanted = key;
    if (key === this.#told) return true;
    const error = await firstError(log, this.#fetch);
    if (error === null || this.#wanted !== key) return false;
    this.#told = key;
    this.#show(step, log, error);
    return true;
  }

  async #marks(log) {
    try {
      const answer = await this.#fetch(log.links.marks);
      return answer.ok ? await answer.json() : null;
    } catch {
      return null;
    }
  }
}

const keyOf = (step, log) => `${step}/${log}`;
