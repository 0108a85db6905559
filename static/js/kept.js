/* Nothing typed is lost: not to a lost connection, not to a session that ended meanwhile.
   Says in a line above the page what is the matter, keeps the forms, and goes on by itself when it is over.
   Without this file the server does the same for plain forms: it asks to sign in and shows what was sent. */
(() => {
  "use strict";
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const line = $("#connection"), PROBE = 3000;
  if (!line) return;

  /* What was typed: fields that differ from what the page came with. Passwords and files are never kept. */
  const isTyped = (el) => el.name && !/^(hidden|password|file|submit|button|search)$/.test(el.type)
    && (/^(radio|checkbox)$/.test(el.type) ? el.checked !== el.defaultChecked
      : el.options ? [...el.options].some((option) => option.selected !== option.defaultSelected)
      : el.value !== el.defaultValue);
  const forms = () => $$("form[method=post][action]").filter((form) => !form.closest("#toasts"));
  function typed() {
    const found = {};
    for (const form of forms()) {
      const fields = $$("input, textarea, select", form);
      if (!fields.some(isTyped)) continue;
      found[form.getAttribute("action")] = fields
        .filter((el) => isTyped(el) && (el.checked || !/^(radio|checkbox)$/.test(el.type)))
        .map((el) => [el.name, el.value]);
    }
    return found;
  }
  const KEY = `typed-${document.body.dataset.user}`;
  const store = {
    take() { try { return JSON.parse(sessionStorage.getItem(KEY) || "null"); } catch { return null; } },
    put(value) { try { if (value) sessionStorage.setItem(KEY, JSON.stringify(value)); else sessionStorage.removeItem(KEY); } catch { /* no room: the page itself still has it */ } },
  };
  function restore() {
    const kept = store.take();
    if (!kept || kept.path !== location.pathname) return;
    for (const form of forms()) {
      const action = form.getAttribute("action"), pairs = kept.forms[action];
      if (!pairs) continue;
      for (const [name, value] of pairs) for (const el of $$(`[name="${CSS.escape(name)}"]`, form)) {
        if (!/^(radio|checkbox)$/.test(el.type)) el.value = value;
        else if (el.value === value) { el.checked = true; el.closest("details")?.setAttribute("open", ""); }
      }
      if (form.hidden) $(`[data-panel="${form.id.replace("panel-", "")}"]`)?.click();
      delete kept.forms[action];
      show("You are signed in again. What you typed is back; nothing was sent yet.", "", 12000);
    }
    store.put(Object.keys(kept.forms).length ? kept : null);
  }

  /* The line: what is the matter, and what to do about it. */
  let hiding = 0;
  function show(text, tone = "late", forMs = 0, link = null) {
    clearTimeout(hiding);
    line.dataset.tone = tone;
    const words = document.createElement("span");
    words.textContent = text;
    line.replaceChildren(words, ...(link ? [link] : []));
    line.hidden = false;
    if (forMs) hiding = setTimeout(() => { line.hidden = true; }, forMs);
  }

  /* Signed out: the page stays as it is; signing in leads back to it, with everything in its place. */
  let isOut = false;
  function signedOut() {
    if (isOut) return;
    isOut = true;
    const to = new URL(location.href), lead = $("#lead[data-opened]");
    if (to.pathname === "/inbox/" && lead) to.searchParams.set("h", lead.dataset.id);
    const link = document.createElement("a");
    link.className = "btn btn-sm";
    link.href = `/login/?next=${encodeURIComponent(to.pathname + to.search)}`;
    link.textContent = "Sign in again";
    link.onclick = () => store.put({ path: location.pathname, forms: typed() });
    show("You were signed out, so nothing can be sent. What you typed is kept.", "late", 0, link);
    if (!$("form.panel:not([hidden])")) link.focus();
  }

  /* Not reached: buttons that would fail say so, and the page asks again until it is answered. */
  let probing = 0;
  function lost() {
    if (probing) return;
    document.body.dataset.offline = "";
    show(navigator.onLine === false ? "You are offline. Nothing can be sent; what you typed stays here."
      : "The server cannot be reached. Nothing can be sent; what you typed stays here.");
    probing = setInterval(() => {
      fetch("/healthz", { cache: "no-store" }).then((answer) => { if (answer.ok) found(); }).catch(() => { /* still lost */ });
    }, PROBE);
  }
  function found() {
    if (!probing) return;
    clearInterval(probing);
    probing = 0;
    delete document.body.dataset.offline;
    show("Connected again. Look at the page, then go on.", "", 6000);
    const list = $("#list-body");
    if (list) window.htmx?.trigger(list, "again");
  }
  window.addEventListener("offline", lost);
  window.addEventListener("online", () => { if (probing) fetch("/healthz", { cache: "no-store" }).then(found).catch(() => { /* not yet */ }); });
  document.addEventListener("htmx:sendError", lost);
  document.addEventListener("htmx:afterRequest", (event) => {
    const status = event.detail.xhr?.status;
    if (status) found();
    if (status === 401) signedOut();
    else if (isOut && status >= 200 && status < 400) { isOut = false; line.hidden = true; }
  });
  /* Before the request, so that a plain form does not leave a page that cannot be replaced. */
  document.addEventListener("submit", (event) => {
    if (!probing || event.target.method !== "post") return;
    event.preventDefault();
    event.stopImmediatePropagation();
    line.hidden = true;
    requestAnimationFrame(() => show("Not sent: there is no connection. What you typed stays here; it can be sent when the line is back."));
  }, true);

  /* Signing in elsewhere changes the token that forms carry; the cookie always has the one in force. */
  const token = () => document.cookie.match(/(?:^|; )(?:__Host-)?csrftoken=([^;]+)/)?.[1];
  document.addEventListener("htmx:configRequest", (event) => {
    const values = event.detail.parameters;
    if (values.csrfmiddlewaretoken && token()) values.csrfmiddlewaretoken = token();
  });
  document.addEventListener("submit", (event) => {
    const field = $("[name=csrfmiddlewaretoken]", event.target);
    if (field && token()) field.value = token();
  });

  if (navigator.onLine === false) lost();
  restore();
  document.addEventListener("htmx:afterSettle", restore);
})();
