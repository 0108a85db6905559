/* The condition editor: what is typed while its answer is on the way is kept. Without scripts the page works the same. */
(() => {
  "use strict";
  const typed = () => [...document.querySelectorAll("#conds :is(input:not([type=checkbox]), textarea)")];
  let before = new Map(), since = new Map(), keeps = false;

  document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.detail.target?.id !== "conds") return;
    before = new Map(typed().map((field) => [field.name, field.value]));
    /* Removing gives the rows other numbers: a name then means another row. */
    keeps = !String(event.detail.requestConfig.parameters.edit || "").startsWith("remove");
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.target?.id !== "conds") return;
    since = new Map(typed().filter((field) => field.value !== before.get(field.name)).map((field) => [field.name, field.value]));
  });
  document.addEventListener("htmx:afterSwap", () => {
    if (keeps) for (const field of typed()) if (since.has(field.name)) field.value = since.get(field.name);
    since = new Map();
  });

  /* A field that was chosen before these scripts were there, or put back by the browser: ask for its operators now. */
  window.addEventListener("load", () => {
    const fields = [...document.querySelectorAll("#conds select[name$='.field']")];
    const sent = (field) => Math.max(0, [...field.options].findIndex((option) => option.defaultSelected));
    const chosen = fields.find((field) => field.selectedIndex !== sent(field));
    if (chosen) htmx.trigger(chosen, "change");
  });
})();
