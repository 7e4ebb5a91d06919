/**
 * Makes an element of the page like the same element of the page as the server draws it now. Only what differs changes,
 * so that focus, scroll place and the turning of an icon survive. Nodes are taken over as nodes, never as markup.
 *
 * Among its siblings an element is known by `data-key`, else by its place. `data-keep` leaves an element as it is,
 * `data-keep="open"` that attribute of it.
 */

const keyOf = (node) => node.getAttribute?.("data-key") ?? null;

const areAlike = (one, other) => one.nodeName === other.nodeName && keyOf(one) === keyOf(other);

export function morph(element, wanted) {
  const kept = element.getAttribute("data-keep");
  // Where scripts run, what is in <noscript> is text.
  if (kept === "" || element.nodeName === "NOSCRIPT") return;
  morphAttributes(element, wanted, kept);
  morphChildren(element, wanted);
}

function morphAttributes(element, wanted, kept) {
  for (const { name } of [...element.attributes]) {
    if (name !== kept && !wanted.hasAttribute(name)) element.removeAttribute(name);
  }
  for (const { name, value } of wanted.attributes) {
    if (name !== kept && element.getAttribute(name) !== value) element.setAttribute(name, value);
  }
}

function morphChildren(element, wanted) {
  const wantedKeys = new Set([...wanted.children].map(keyOf));
  const keyed = new Map();
  for (const child of [...element.children]) {
    const key = keyOf(child);
    if (key === null) continue;
    if (wantedKeys.has(key)) keyed.set(key, child);
    else child.remove();
  }
  let place = element.firstChild;
  for (const child of wanted.childNodes) {
    const present = keyed.get(keyOf(child)) ?? place;
    if (!present || !areAlike(present, child)) {
      element.insertBefore(document.importNode(child, true), place);
      continue;
    }
    if (present === place) place = place.nextSibling;
    else element.insertBefore(present, place);
    if (present.nodeType === Node.ELEMENT_NODE) morph(present, child);
    else if (present.data !== child.data) present.data = child.data;
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}
