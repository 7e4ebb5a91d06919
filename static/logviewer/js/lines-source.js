/** Lines are asked for, and kept, in blocks of so many. */
export const BLOCK_LINES = 500;

const CHANNEL_NAMES = ["stdout", "stderr", "header"];

/** The server did not give the lines; `final` says that asking again is of no use. */
export class LinesRefused extends Error {
  constructor(detail, { status = 0, final = false } = {}) {
    super(detail);
    this.name = "LinesRefused";
    this.status = status;
    this.final = final;
  }
}

const isFinal = (status) => status >= 400 && status < 500 && status !== 408 && status !== 429;

async function detailOf(response) {
  try {
    const { detail } = await response.json();
    if (typeof detail === "string" && detail !== "") return detail;
  } catch {
    // not the JSON of a problem: a proxy's page, perhaps
  }
  return `The server answered ${response.status}.`;
}

/** `GET …/lines` of one log. */
export class LinesSource {
  #address;
  #fetch;

  /** @param {string} address of the lines, without a query */
  constructor(address, fetch = (...wanted) => globalThis.fetch(...wanted)) {
    this.#address = address;
    this.#fetch = fetch;
  }

  /** The address of `count` lines from `start`, as http-api.md has it; `channels` are numbers, null for all. */
  addressOf(start, count, channels = null) {
    const query = new URLSearchParams({ start: String(start), count: String(count) });
    if (channels !== null) query.set("channels", channels.map((channel) => CHANNEL_NAMES[channel]).join(","));
    return `${this.#address}?${query}`;
  }

  /**
   * @param {AbortSignal} signal
   * @returns {Promise<{start: number, total: number, complete: boolean, sgr: string, lines: object[]}>}
   * @throws {LinesRefused}; an AbortError where `signal` said so
   */
  async get(start, count, { channels = null, signal } = {}) {
    let response;
    try {
      response = await this.#fetch(this.addressOf(start, count, channels), { signal });
      if (response.ok) return await response.json();
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new LinesRefused("The server cannot be reached.");
    }
    throw new LinesRefused(await detailOf(response), { status: response.status, final: isFinal(response.status) });
  }
}
