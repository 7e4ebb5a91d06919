import { CHANNEL } from "./frame.js";

/**
 * Which channels of a log are shown. The server filters (`/lines?channels=`), lines keep their own numbers.
 *
 * A choice is a list of channels in order, or null for all of them.
 */

export const CHANNELS = [
  { channel: CHANNEL.STDOUT, name: "stdout", title: "What was written to standard output" },
  { channel: CHANNEL.STDERR, name: "stderr", title: "What was written to standard error" },
  { channel: CHANNEL.HEADER, name: "header", title: "What the agent says about the command" },
];

const ordered = (channels) => CHANNELS.map(({ channel }) => channel).filter((channel) => channels.includes(channel));

/** None and all are the same: a log without any channel would show nothing. */
function choiceOf(channels) {
  const choice = ordered(channels);
  return choice.length === 0 || choice.length === CHANNELS.length ? null : choice;
}

export const isShown = (choice, channel) => choice === null || choice.includes(channel);

/** The choice after a click on a channel: it is hidden or shown; who hides the last one sees all again. */
export function toggleChannel(choice, channel) {
  const shown = choice ?? ordered(CHANNELS.map((each) => each.channel));
  return choiceOf(isShown(choice, channel) ? shown.filter((each) => each !== channel) : [...shown, channel]);
}

/** The choice after a double click or Alt-click: only that channel; where it was alone already, all. */
export function onlyChannel(choice, channel) {
  return choice?.length === 1 && choice[0] === channel ? null : [channel];
}

/** `stdout,stderr`, as the API and the address have it; "" for all. */
export function channelsParameter(choice) {
  if (choice === null) return "";
  return CHANNELS.filter(({ channel }) => choice.includes(channel)).map(({ name }) => name).join(",");
}

/** The reverse; names that are none are left out. */
export function readChannels(text) {
  const names = (text ?? "").split(",", CHANNELS.length * 2);
  return choiceOf(CHANNELS.filter(({ name }) => names.includes(name)).map(({ channel }) => channel));
}
