import { Announcer } from "./announcer.js";
import { ErrorJumps } from "./error-jumps.js";
import { channelsParameter, onlyChannel, readChannels, toggleChannel } from "./filters.js";
import { FilterNotice } from "./filter-notice.js";
import { FoldRows } from "./fold-rows.js";
import { GoToLine } from "./go-to-line.js";
import { KeyList } from "./key-list.js";
import { actionOf } from "./keys.js";
import { findLinks } from "./links.js";
import { LogFacts } from "./log-facts.js";
import { LogMarks } from "./log-marks.js";
import { extendMark } from "./marks.js";
import { Preferences, nextFontSize } from "./preferences.js";
import { RangeBar } from "./range-bar.js";
import { lineText } from "./rows.js";
import { ScrollMarks } from "./scroll-marks.js";
import { SearchBar } from "./search-bar.js";
import { TimeRows } from "./time-rows.js";
import { TIME_MODE_NAMES, nextTimeMode, silenceText } from "./times.js";
import { ViewMenu } from "./view-menu.js";

const CHANNELS_PARAMETER = "channels";
/** So long the next jump waits for the last one; its lines may never come, or the reader may have scrolled away. */
const ARRIVAL_MS = 2_000;

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Addresses in the text of a line, as segments. */
function linkSegments(line) {
  return findLinks(lineText(line)).map(([from, to, href]) => ({ from, to, className: "log-link", href }));
}

/** A line whose text went to another one says to which. */
function showMoved(element, line) {
  if (line.movedTo !== null && line.movedTo !== undefined) {
    element.classList.add("log-row-moved");
    element.querySelector(".log-text").dataset.moved = `shown in line ${line.movedTo.toLocaleString("en")}`;
  } else {
    delete element.querySelector(".log-text").dataset.moved;
  }
}

/** Everything around the lines of a viewer, wired together: what keys, menus and addresses ask for is done here. */
class LogFeatures {
  #viewer;
  #announcer;
  #marks;
  #preferences;
  #scrollMarks;
  #folds;
  #search;
  #errors;
  #range;
  #times;
  #menu;
  #keyList;
  #goToLine;
  #filterNotice;
  #gap = null;

  /** @param {LogViewer} viewer */
  constructor(viewer) {
    this.#viewer = viewer;
    this.#preferences = new Preferences((name) => this.#prefer(name));
    this.#announcer = new Announcer(viewer);
    this.#marks = new LogMarks(viewer);
    const go = (line) => this.#go(line);
    this.#folds = new FoldRows(viewer, this.#marks, () => this.#rowsMoved());
    this.#scrollMarks = new ScrollMarks(viewer, this.#folds.rows, go);
    const shared = { marks: this.#marks, announcer: this.#announcer, scrollMarks: this.#scrollMarks, go };
    this.#search = new SearchBar(viewer, shared);
    viewer.addDecorator({ segments: linkSegments, row: showMoved });
    this.#times = new TimeRows(viewer, this.#marks, this.#preferences.get("times"));
    const open = () => this.#search.open();
    viewer.view.tools.append(viewer.view.button("search", "Search", "Search the whole log (/)", open));
    this.#menu = new ViewMenu(viewer, this.#menuActions());
    this.#errors = new ErrorJumps(viewer, shared);
    this.#range = new RangeBar(viewer, this.#announcer);
    this.#keyList = new KeyList(viewer);
    this.#goToLine = new GoToLine(viewer, (line) => {
      viewer.setMark({ first: line, last: line });
      go(line);
    });
    this.#filterNotice = new FilterNotice(viewer, () => this.#setChannels(null));
    new LogFacts(viewer);
    this.#listen();
    this.#begin();
  }

  #listen() {
    const { signal } = this.#viewer;
    this.#viewer.addKeys((event) => this.#pressed(event));
    addEventListener("storage", (event) => this.#preferences.heard(event), { signal });
    this.#marks.addEventListener("change", () => this.#showMenu(), { signal });
  }

  #begin() {
    for (const name of ["fontSize", "theme"]) this.#prefer(name);
    const channels = readChannels(new URL(location.href).searchParams.get(CHANNELS_PARAMETER));
    if (channels !== null) this.#setChannels(channels);
    this.#showMenu();
  }

  async #go(line) {
    this.#folds.reveal(line);
    try {
      if ((await this.#arrive(line)) && this.#isFilteredOut(line)) {
        await this.#showAll();
        await this.#arrive(line);
      }
    } catch (error) {
      this.#announcer.say(error.message); // the server does not say where the line is: LinesRefused
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
    this.#setChannels(null);
    await Promise.race([counted, pause(ARRIVAL_MS)]);
    known.abort();
  }

  #rowsMoved() {
    this.#scrollMarks?.moved();
    this.#showMenu();
  }

  #showMenu() {
    this.#menu?.show({
      times: this.#times.mode,
      theme: this.#preferences.get("theme"),
      fontSize: this.#preferences.get("fontSize"),
      channels: this.#viewer.store.channels,
      folds: this.#folds.any && this.#viewer.store.channels === null,
      allOpen: this.#folds.allOpen,
      gaps: this.#marks.gaps.count,
    });
  }

  // What is chosen

  #prefer(name) {
    const value = this.#preferences.get(name);
    if (name === "times") this.#times.mode = value;
    else if (name === "wrap") this.#viewer.setWrap(value);
    else if (name === "fontSize") this.#setFontSize(value);
    else if (name === "theme") this.#setTheme(value);
    this.#showMenu();
  }

  #setFontSize(size) {
    this.#viewer.element.style.setProperty("--log-font-size", `${size}px`);
    this.#viewer.layOutAnew();
  }

  #setTheme(theme) {
    const { style } = document.documentElement;
    if (theme === "auto") style.removeProperty("color-scheme");
    else style.setProperty("color-scheme", theme);
  }

  #setChannels(channels) {
    this.#viewer.setChannels(channels);
    const url = new URL(location.href);
    const parameter = channelsParameter(channels);
    if (parameter === "") url.searchParams.delete(CHANNELS_PARAMETER);
    else url.searchParams.set(CHANNELS_PARAMETER, parameter);
    history.replaceState(history.state, "", url);
    this.#filterNotice.show(channels);
    this.#folds.apply();
    this.#search.restart();
    this.#showMenu();
  }

  #longestGap() {
    const { gaps } = this.#marks;
    this.#gap = gaps.nextLongest(this.#gap);
    if (this.#gap === null) {
      this.#announcer.say("The log was never silent for long");
      return;
    }
    const words = `${silenceText(gaps.before(this.#gap))} before line ${this.#gap}`;
    this.#go(this.#gap).then(() => this.#announcer.say(words));
  }

  #fullScreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else this.#viewer.element.requestFullscreen?.().catch(() => this.#announcer.say("The browser refuses full screen"));
  }

  #menuActions() {
    const { store } = this.#viewer;
    return {
      setTimes: (mode) => this.#preferences.set("times", mode),
      toggleChannel: (channel) => this.#setChannels(toggleChannel(store.channels, channel)),
      onlyChannel: (channel) => this.#setChannels(onlyChannel(store.channels, channel)),
      setTheme: (theme) => this.#preferences.set("theme", theme),
      stepFontSize: (step) => this.#preferences.set("fontSize", nextFontSize(this.#preferences.get("fontSize"), step)),
      toggleFolds: () => this.#folds.toggleAll(),
      longestGap: () => this.#longestGap(),
      fullScreen: () => this.#fullScreen(),
      goTo: () => this.#goToLine.open(),
      help: () => this.#keyList.open(),
    };
  }

  /** Marks, or the mark is extended to, the line that the reader is at. */
  #mark(extend) {
    const viewer = this.#viewer;
    const current = viewer.element.querySelector(".log-row-current")?.dataset.line;
    const [first, last] = [viewer.firstVisible(), viewer.lastVisible()];
    if (first === null) return false;
    const line = current >= first && current <= last ? Number(current) : first;
    const { mark } = viewer;
    const one = { first: line, last: line };
    // A mark grows from the end that the reader is not at.
    const anchor = mark === null || line > mark.first ? (mark?.first ?? line) : mark.last;
    viewer.setMark(extend ? extendMark(mark, line, anchor, viewer.log.lines) : one);
    viewer.setFollow(false);
    return true;
  }

  // Keys

  #pressed(event) {
    if (event.defaultPrevented) return false;
    const action = actionOf(event);
    return action !== null && this.#act(action, event);
  }

  /** @returns {boolean} whether the key was of use here, and is not to be the browser's */
  #act(action, { key }) {
    const { mark } = this.#viewer;
    switch (action) {
      case "search":
        this.#search.open();
        return true;
      case "nextHit":
        this.#search.next();
        return this.#search.isOpen;
      case "previousHit":
        this.#search.previous();
        return this.#search.isOpen;
      case "nextError":
        this.#errors.next();
        return true;
      case "previousError":
        this.#errors.previous();
        return true;
      case "goTo":
        this.#goToLine.open();
        return true;
      case "longestGap":
        this.#longestGap();
        return true;
      case "times":
        this.#preferences.set("times", nextTimeMode(this.#times.mode));
        this.#announcer.say(TIME_MODE_NAMES[this.#times.mode]);
        return true;
      case "folds":
        this.#folds.toggleAll();
        return true;
      case "fontSize":
        this.#preferences.set("fontSize", nextFontSize(this.#preferences.get("fontSize"), key === "-" ? -1 : 1));
        return true;
      case "fullScreen":
        this.#fullScreen();
        return true;
      case "mark":
      case "extendMark":
        return this.#mark(action === "extendMark");
      case "copyText":
        return this.#range.copyText();
      case "copyLink":
        this.#range.copyLink();
        return mark !== null;
      case "escape":
        if (this.#search.isOpen) this.#search.close();
        else if (mark !== null) this.#viewer.setMark(null);
        else return false;
        return true;
      case "help":
        this.#keyList.open();
        return true;
      default:
        return false; // follow and wrap: the viewer's own
    }
  }
}

/** Installs all of it; see features.js. */
export function installFeatures(viewer) {
  new LogFeatures(viewer);
}
