// Names for those fields of Django's admin that have none: in a table its column's, of a date with a time the field's.

/** What stands over or beside the element, or null. */
function labelOf(element) {
  const cell = element.closest(".tabular td");
  if (cell?.matches(".delete")) return "Delete";
  const field = [...(cell?.classList ?? [])].find((word) => word.startsWith("field-"));
  const beside = field
    ? cell.closest("table").querySelector(`thead .${CSS.escape(field.replace("field-", "column-"))}`)
    : element.closest(".form-row")?.querySelector("label, legend");
  return beside?.textContent.replace(":", "").trim() || null;
}

function giveNames(root) {
  const parts = { vDateField: "date", vTimeField: "time" };
  for (const element of root.querySelectorAll(
    ".tabular td :is(select, input:not([type=hidden])), .datetime input, .select2-selection, .select2-selection__rendered",
  )) {
    const name = labelOf(element);
    const part = Object.keys(parts).find((word) => element.classList.contains(word));
    if (name) element.setAttribute("aria-label", part ? `${name}, ${parts[part]}` : name);
  }
  for (const element of root.querySelectorAll(".help-tooltip[aria-label]")) element.setAttribute("role", "img");
}

// After Django's own scripts have made their fields: some as the page has loaded, some when jQuery is ready, which may
// be later, and some in rows that are added.
addEventListener("load", () => giveNames(document));
globalThis.django?.jQuery(() => giveNames(document));
document.addEventListener("formset:added", (event) => giveNames(event.target));
