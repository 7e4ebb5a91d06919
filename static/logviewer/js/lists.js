import "./clock.js";
import "./strip.js";
import { BuildSocket } from "./build-socket.js";
import { statusWord } from "./build-state.js";
import { morph } from "./morph.js";
import { Refresher } from "./refresher.js";

/**
 * Keeps a list true: when a build begins or ends, the page is asked for again and what differs is taken over. Of a
 * project the socket says when; the first page, which shows many, asks whether anything has changed.
 */

const ASK_MS = 5000;
const PATIENCE_MS = 30_000;
const CONNECTION_WORDS = { live: "live", away: "reconnecting…", ended: "no longer live" };
const NOT_MODIFIED = 304;

const root = document.querySelector("[data-live]");
const { project, builder } = root.dataset;
const refresher = new Refresher(refresh);

async function refresh() {
  try {
    await takeOver();
    if (project === undefined) showConnection("live");
  } catch (error) {
    if (project === undefined) showConnection("away");
    throw error;
  }
}

async function takeOver() {
  const answer = await ask();
  if (answer.status === NOT_MODIFIED) return;
  const wanted = answer.response?.querySelector("[data-live]");
  if (answer.status >= 500 || answer.status === 429) throw new Error(`the server says ${answer.status}`);
  if (!wanted) location.reload(); // not there any more, or not for this reader: the page says so
  else adopt(answer.response, wanted);
}

/** The page as it is now; XMLHttpRequest parses it without a string of markup ever being set (Trusted Types). */
function ask() {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("GET", location.href);
    request.responseType = "document";
    request.timeout = PATIENCE_MS;
    request.setRequestHeader("If-None-Match", `"${root.dataset.version}"`);
    request.onload = () => resolve(request);
    request.onerror = request.ontimeout = () => reject(new Error("the server does not answer"));
    request.send();
  });
}

function adopt(page, wanted) {
  morph(root, wanted);
  if (document.title !== page.title) document.title = page.title;
  const icon = page.querySelector("link[rel=icon]").getAttribute("href");
  const shown = document.querySelector("link[rel=icon]");
  if (shown.getAttribute("href") !== icon) shown.setAttribute("href", icon);
}

function showConnection(state) {
  const element = document.getElementById("connection");
  element.hidden = false;
  element.dataset.state = state;
  if (element.textContent !== CONNECTION_WORDS[state]) element.textContent = CONNECTION_WORDS[state];
}

function hear({ version, build }) {
  const shown = Number(root.dataset.version);
  if (version === undefined || version <= shown) return;
  const isOther = build && builder !== undefined && build.builder !== builder;
  if (isOther && version === shown + 1) {
    root.dataset.version = version;
    return;
  }
  if (build && !isOther) document.getElementById("news").textContent = `${build.builder} #${build.number} ${statusWord(build)}`;
  refresher.request();
}

if (project === undefined) {
  refresher.request();
  setInterval(() => refresher.request(), ASK_MS);
} else {
  new BuildSocket(`/ws/projects/${project}/`, { onMessage: hear, onState: showConnection });
}

// A page from the back/forward cache has slept: what it shows is old, and its connection is gone.
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});
