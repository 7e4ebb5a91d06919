import { Announcer } from "./announcer.js";
import { ErrorJumps } from "./error-jumps.js";
import { channelsParameter, onlyChannel, readChannels, toggleChannel } from "./filters.js";
import { FilterNotice } from "./filter-notice.js";
import { FoldRows } from "./fold-rows.js";
import { GoToLine } from "./go-to-line.js";
import { KeyList } from "./key-list.js";
import { actionOf } from "./keys.js";
import { findLinks } from "./links.js";
import { LineJumps } from "./line-jumps.js";
import { LogFacts } from "./log-facts.js";
import { LogMarks } from "./log-marks.js";
import { markAll, markHere } from "./marking.js";
import { Preferences, nextFontSize } from "./preferences.js";
import { RangeBar } from "./range-bar.js";
import { lineText } from "./rows.js";
import { ScrollMarks } from "./scroll-marks.js";
import { SearchBar } from "./search-bar.js";
import { TimeRows } from "./time-rows.js";
import { TIME_MODE_NAMES, nextTimeMode, silenceText } from "./times.js";
import { ViewMenu } from "./view-menu.js";

const CHANNELS_PARAMETER = "channels";

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
  #jumps;
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
    this.#folds = new FoldRows(viewer, this.#marks, () => this.#rowsMoved());
    this.#jumps = new LineJumps(viewer, {
      reveal: (line) => this.#folds.reveal(line),
      showAllChannels: () => this.#setChannels(null),
      say: (words) => this.#announcer.say(words),
    });
    const go = (line) => this.#jumps.go(line);
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
    this.#jumps.go(this.#gap).then(() => this.#announcer.say(words));
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
      stepFontSize: (step) => this.#stepFontSize(step),
      toggleFolds: () => this.#folds.toggleAll(),
      longestGap: () => this.#longestGap(),
      fullScreen: () => this.#fullScreen(),
      goTo: () => this.#goToLine.open(),
      help: () => this.#keyList.open(),
    };
  }

  // Keys

  #pressed(event) {
    if (event.defaultPrevented) return false;
    const action = this.#actions[actionOf(event)];
    return action !== undefined && action(event) !== false;
  }

  /** What keys ask for, but follow and wrap, which are the viewer's own; `false`: of no use here, the browser's. */
  #actions = {
    search: () => this.#search.open(),
    nextHit: () => this.#goThroughHits(() => this.#search.next()),
    previousHit: () => this.#goThroughHits(() => this.#search.previous()),
    nextError: () => this.#errors.next(),
    previousError: () => this.#errors.previous(),
    goTo: () => this.#goToLine.open(),
    longestGap: () => this.#longestGap(),
    times: () => this.#nextTimes(),
    folds: () => this.#folds.toggleAll(),
    fontSize: ({ key }) => this.#stepFontSize(key === "-" ? -1 : 1),
    fullScreen: () => this.#fullScreen(),
    mark: () => markHere(this.#viewer, { extend: false }),
    extendMark: () => markHere(this.#viewer, { extend: true }),
    markAll: () => markAll(this.#viewer),
    copyText: () => this.#range.copyText(),
    copyLink: () => this.#range.copyLink(),
    escape: () => this.#closeOrUnmark(),
    help: () => this.#keyList.open(),
  };

  #goThroughHits(step) {
    step();
    return this.#search.isOpen;
  }

  #nextTimes() {
    this.#preferences.set("times", nextTimeMode(this.#times.mode));
    this.#announcer.say(TIME_MODE_NAMES[this.#times.mode]);
  }

  #stepFontSize(step) {
    this.#preferences.set("fontSize", nextFontSize(this.#preferences.get("fontSize"), step));
  }

  #closeOrUnmark() {
    if (this.#search.isOpen) this.#search.close();
    else if (this.#viewer.mark !== null) this.#viewer.setMark(null);
    else return false;
    return true;
  }
}

/** Installs all of it; see features.js. */
export function installFeatures(viewer) {
  new LogFeatures(viewer);
}
