/* Handoff in the browser: keys, panels, the lists one works through, news without a jump.
   Every page works without this file; nothing here decides anything, the server does. */
(() => {
  "use strict";
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const isShown = (el) => !!el && el.getClientRects().length > 0;
  const inField = (el) => !!el && el.matches("input, textarea, select, [contenteditable]") && !/^(radio|checkbox|button|submit)$/.test(el.type);
  const store = {
    get(key) { try { return localStorage.getItem(key); } catch { return null; } },
    set(key, value) { try { localStorage.setItem(key, value); } catch { /* private mode: forgotten with the page */ } },
  };

  /* What was done, or what went wrong, in the region that is announced. */
  function say(text, tone = "late") {
    const toast = document.createElement("div"), words = document.createElement("span");
    toast.className = "toast";
    toast.dataset.tone = tone;
    words.textContent = text;
    toast.append(words, closer());
    $("#toasts")?.replaceChildren(toast);
  }
  function closer() {
    const button = document.createElement("button");
    button.className = "btn btn-sm";
    button.type = "button";
    button.dataset.close = "";
    button.textContent = "Close";
    return button;
  }

  /* Panels: the forms of the verbs, one open at a time. */
  function openPanel(verb, options = {}) {
    const form = $(`#panel-${verb}`);
    if (!form) return;
    const wasOpen = !form.hidden;
    closePanels();
    if (wasOpen && options.toggle) return;
    form.hidden = false;
    $(`[data-panel="${verb}"]`)?.setAttribute("aria-expanded", "true");
    ($("[data-first]", form) || $("textarea, .chip, select, input:not([type=hidden])", form))?.focus();
    form.scrollIntoView({ block: "nearest" });
  }
  function closePanels() {
    for (const form of $$("form.panel:not([hidden])")) form.hidden = true;
    for (const button of $$("[data-panel][aria-expanded=true]")) button.setAttribute("aria-expanded", "false");
  }
  /* A reason that needs more than one tap shows its field; the button below then rejects. */
  function choose(chip) {
    const form = chip.form, chosen = $("[data-chosen]", form);
    for (const other of $$(".chip[aria-pressed]", form)) other.removeAttribute("aria-pressed");
    chip.setAttribute("aria-pressed", "true");
    $("[data-more]", form).open = true;
    chosen.value = chip.value;
    chosen.hidden = false;
    $("[data-chosen-label]", chosen).textContent = $("span", chip).textContent;
    $(`[name="${chip.dataset.needs || "note"}"]`, form).focus();
  }

  document.addEventListener("click", (event) => {
    const at = (selector) => event.target.closest(selector);
    let el;
    if ((el = at("[data-panel]")) && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      openPanel(el.dataset.panel, { toggle: true });
    } else if ((el = at("[data-use]")) && $("#panel-contact")) {
      event.preventDefault();
      if ($("#panel-contact").hidden) openPanel("contact");
      const pick = $(`#panel-contact [name=activity_id][value="${el.dataset.use}"]`);
      if (pick) pick.checked = true;
    } else if ((el = at(".chip[data-needs]"))) {
      const field = $(`[name="${el.dataset.needs}"]`, el.form);
      if (field && !field.value) {
        event.preventDefault();
        choose(el);
      }
    } else if ((el = at("[data-close]"))) {
      el.closest(".toast").remove();
    } else if ((el = at(".term")) && $("#term")?.showPopover && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      explain(el);
    } else if ((el = at(".contact [data-by]")) && $("#panel-contact")) {
      /* Who calls or writes logs it next: the form is there when they come back. */
      if ($("#panel-contact").hidden) openPanel("contact");
      $(`#panel-contact [name=channel][value="${el.dataset.by}"]`).checked = true;
      warn($("#panel-contact"));
    } else if ((el = at("[data-dialog]"))) {
      showKeys();
    } else if (!at(".menu")) {
      for (const menu of $$(".menu[open]")) menu.open = false;
    }
    if (at(".lead")) sawIt();
  });
  /* Picking rows of a list: the box in the head is the page's, and the count is told. */
  function countPicks(form) {
    const boxes = $$("[name=pick]", form), all = $("[data-pick-all]", form), every = $("[name=all]", form)?.checked;
    const picked = boxes.filter((box) => box.checked).length;
    all.hidden = false;
    all.checked = picked === boxes.length;
    all.indeterminate = picked > 0 && picked < boxes.length;
    $("[data-picked]", form).textContent = every ? "All of them." : picked ? `${picked} selected.` : "Tick those that you mean.";
  }
  $$("[data-picking]").forEach(countPicks);
  document.addEventListener("change", (event) => {
    const form = event.target.closest("[data-picking]");
    if (!form) return;
    if (event.target.matches("[data-pick-all]")) for (const box of $$("[name=pick]", form)) box.checked = event.target.checked;
    countPicks(form);
  });
  document.addEventListener("input", (event) => {
    if (event.target.closest(".lead")) sawIt();
    const group = event.target.closest("[data-checks]");
    if (group) store.set(`checks-${group.dataset.checks}`, $$(":checked", group).map((box) => box.value).join());
    const form = event.target.form;
    if (form && event.target.name === "channel") warn(form);
  });
  function warn(form) {
    const channel = $("[name=channel]:checked", form)?.value;
    for (const line of $$("[data-warns]", form)) line.hidden = !!channel && line.dataset.warns !== channel;
  }

  /* A word and its meaning, in place; the link leads to the same on the help page. */
  function explain(link) {
    const box = $("#term"), name = document.createElement("b"), more = document.createElement("a"), at = link.getBoundingClientRect();
    name.textContent = link.dataset.term;
    more.href = link.href;
    more.textContent = "All words";
    box.replaceChildren(name, ` ${link.title} `, more);
    box.showPopover({ source: link });
    box.style.left = `${Math.max(8, Math.min(at.left, innerWidth - box.offsetWidth - 8))}px`;
    box.style.top = `${at.bottom + 6 + box.offsetHeight < innerHeight ? at.bottom + 6 : at.top - box.offsetHeight - 6}px`;
  }
  /* The keys of what this page shows, then those that work everywhere. */
  function showKeys() {
    const list = $("[data-keys-list]"), known = new Set();
    list.replaceChildren(...$$("[data-key]").filter(isShown).map((el) => {
      const copy = (el.closest("label") || el).cloneNode(true), key = el.dataset.key;
      for (const extra of $$("kbd, .sr, [data-countdown]", copy)) extra.remove();
      if (known.has(key)) return "";
      known.add(key);
      const line = document.createElement("div"), term = document.createElement("dt"), what = document.createElement("dd"), kbd = document.createElement("kbd");
      kbd.textContent = key;
      what.textContent = copy.textContent.trim().toLowerCase();
      term.append(kbd);
      line.append(term, what);
      return line;
    }));
    for (const el of [list, $("[data-keys-here]")]) el.hidden = !known.size;
    $("#keys").showModal();
  }

  /* Keys. Dead inside fields, and switched off as a whole in the profile (WCAG 2.1.4). */
  let waitingG = 0, pendingKey = "";
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.matches("form.panel textarea")) {
      /* What is written is sent without leaving the keyboard. */
      event.preventDefault();
      $(".btn-primary:not([hidden])", event.target.form)?.click();
    }
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if ($("dialog[open]")) return;
    if (event.key === "Escape") return escape(event);
    if (event.key === "ArrowDown" || event.key === "ArrowUp") return through(event);
    if (inField(event.target) || !document.body.hasAttribute("data-keys")) return;
    const key = event.key;
    if (waitingG > Date.now()) {
      waitingG = 0;
      const to = { i: "/inbox/", t: "/team/", d: "/dashboard/", r: "/reports/", l: "/leads/", c: "/completion/", n: "/notifications/" }[key];
      const link = to && $(`:is(.nav, .top) a[href="${to}"]`);
      if (link) { event.preventDefault(); link.click(); }
      return;
    }
    if (key === "g") waitingG = Date.now() + 1500;
    else if (key === "j" || key === "k") move(key === "j" ? 1 : -1, event);
    else if (key === "?") { event.preventDefault(); showKeys(); }
    else if (key === "/") { event.preventDefault(); $("#find")?.focus(); }
    else if (/^[a-z0-9]$/.test(key)) press(key, event);
  });
  /* What was found as one types: down and up through it, and away with it. */
  function through(event) {
    const stops = [$("#find"), ...$$("#quick a")], at = stops.indexOf(document.activeElement);
    const next = at < 0 ? null : stops[at + (event.key === "ArrowDown" ? 1 : -1)];
    if (next && stops.length > 1) { event.preventDefault(); next.focus(); }
  }
  document.addEventListener("focusin", (event) => {
    if (!event.target.closest(".find")) $("#quick")?.replaceChildren();
    /* An open menu that one has left would lie over what has the focus. */
    for (const menu of $$(".menu[open]")) if (!menu.contains(event.target)) menu.open = false;
  });
  function escape(event) {
    const form = $("form.panel:not([hidden])"), menu = $(".menu[open]");
    if (menu) { menu.open = false; $("summary", menu).focus(); }
    else if (form) {
      const verb = form.id.replace("panel-", "");
      closePanels();
      $(`[data-panel="${verb}"]`)?.focus();
    } else if ($("#quick a, #quick p")) {
      $("#quick").replaceChildren();
      $("#find").focus();
    } else if (inField(event.target)) event.target.blur();
  }
  function move(step, event) {
    const rows = $$(".list .row[data-id], [data-rows] :is(a, button)[data-id]").filter(isShown);
    if (!rows.length) return;
    event.preventDefault();
    const from = rows.findIndex((row) => row === document.activeElement);
    const at = from >= 0 ? from + step : rows.findIndex((row) => row.hasAttribute("aria-current")) + (from < 0 ? step : 0);
    const row = rows[Math.max(0, Math.min(rows.length - 1, at))];
    row.focus();
    row.scrollIntoView({ block: "nearest" });
  }
  function press(key, event) {
    /* A verb is about the lead that is open. If another row has the focus, open that one first. */
    const row = document.activeElement?.closest?.(".row[data-id]");
    if (row && !row.hasAttribute("aria-current") && /^[ardcoxn]$/.test(key)) {
      event.preventDefault();
      pendingKey = key;
      row.click();
      return;
    }
    const places = ["form.panel:not([hidden])", "#lead", "#toasts", "#list", "#main"];
    for (const place of places) {
      const el = $$(`${place} [data-key="${key}"]`).find((found) => isShown(found) && !found.disabled);
      if (!el) continue;
      event.preventDefault();
      if (el.tagName === "SUMMARY") {
        el.parentElement.open = !el.parentElement.open;
        if (el.parentElement.open) $("input:not([type=hidden])", el.parentElement)?.focus();
      } else if (el.type === "radio") {
        el.checked = true;
        el.form.requestSubmit();
      } else el.click();
      return;
    }
  }

  /* Viewed: the open lead was in sight and in focus for five seconds, or got an input. Said once. */
  let watched = null, seconds = 0;
  function sawIt() {
    const lead = $("#lead[data-view]");
    if (!lead || !isShown(lead)) return;
    const to = lead.dataset.view, token = $("[name=csrfmiddlewaretoken]")?.value;
    delete lead.dataset.view;
    fetch(to, { method: "POST", headers: { "X-CSRFToken": token || "" }, credentials: "same-origin" }).catch(() => { lead.dataset.view = to; });
  }
  setInterval(() => {
    const lead = $("#lead[data-view]");
    if (!lead || lead !== watched || !isShown(lead) || document.visibilityState !== "visible" || !document.hasFocus()) {
      watched = lead;
      seconds = 0;
    } else if (++seconds >= 5) sawIt();
  }, 1000);

  /* htmx: what the list's poll and the forms send along, and where the focus goes. */
  let anchor = null;
  document.addEventListener("htmx:configRequest", (event) => {
    const el = event.target, values = event.detail.parameters;
    if (el.id === "list-body") {
      const lead = $("#lead[data-opened]");
      if (lead) {
        values.open = lead.dataset.id;
        values.rev = $("#lead-news")?.dataset.rev || lead.dataset.rev;
      }
    } else if (el.matches("form") && el.closest("#lead")) {
      const next = nextRow();
      if (next && values.next !== undefined) values.next = next;
    }
  });
  function nextRow() {
    const rows = $$(".list .row[data-id]"), at = rows.findIndex((row) => row.hasAttribute("aria-current"));
    if (at < 0) return "";
    return (rows[at + 1] || rows[0]) === rows[at] ? "" : (rows[at + 1] || rows[0]).dataset.id;
  }
  document.addEventListener("htmx:beforeSwap", () => {
    /* Remember a row that is in sight, so that rows coming in above do not move what one reads. */
    const list = $("#list");
    if (!list) return;
    const top = list.getBoundingClientRect().top;
    const row = $$(".row[id]", list).find((found) => found.getBoundingClientRect().bottom > top + 40);
    anchor = row ? { id: row.id, top: row.getBoundingClientRect().top } : null;
  });
  document.addEventListener("htmx:afterSettle", (event) => {
    const list = $("#list");
    if (anchor && list) {
      const row = document.getElementById(anchor.id);
      const scroller = list.scrollHeight > list.clientHeight ? list : document.scrollingElement;
      if (row && scroller.scrollTop > 0) scroller.scrollTop += row.getBoundingClientRect().top - anchor.top;
    }
    anchor = null;
    settle();
    const config = event.detail.requestConfig, isLead = event.detail.target?.id === "lead" || event.target.id === "lead";
    if (!config || !isLead) return;
    const by = config.elt, lead = $("#lead");
    if (!lead) return;
    markOpen(lead.dataset.id);
    /* The first lead comes by itself: that is no reason to take the focus. */
    if (by && by.id === "lead") return;
    const wrong = $("[role=alert]", lead);
    if (wrong) ($("form.panel:not([hidden]) [aria-invalid=true]", lead) || $("#refused", lead) || $("#lead-name", lead)).focus();
    else {
      lead.scrollTop = 0;
      window.scrollTo(0, 0);
      $("#lead-name", lead)?.focus({ preventScroll: true });
    }
    if (pendingKey) {
      const key = pendingKey;
      pendingKey = "";
      const button = $$(`#lead [data-key="${key}"]`).find(isShown);
      button?.click();
    }
  });
  function markOpen(id) {
    for (const row of $$(".list .row[aria-current]")) row.removeAttribute("aria-current");
    if (id) $(`.list .row[data-id="${id}"]`)?.setAttribute("aria-current", "true");
  }
  document.addEventListener("htmx:timeout", () => say("The server took too long. What you typed is still here; try again."));
  document.addEventListener("htmx:responseError", (event) => {
    const status = event.detail.xhr.status;
    if (status === 401 || (event.detail.requestConfig?.verb === "get" && event.target.id === "list-body")) return;
    say(status === 404 ? "It is not yours to see, or no longer there. Reload the page."
      : status === 403 ? "This was not allowed. Reload the page and try again; nothing was changed."
      : status === 503 ? "The server is busy or starting. What you typed is still here; try again in a few seconds."
      : "Something broke on the server. What you typed is still here; try again.");
  });

  /* The count in the title comes with the list; the icon shows it too. New demo leads may call. */
  let known = null;
  const icon = $("link[rel=icon]"), plainIcon = icon?.href;
  function settle() {
    const body = $("#list-body"), answer = body?.dataset.answer || "";
    if (icon && body) {
      const badge = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 18 18"><path fill="#0b685f" d="M1 3h7l3 6-3 6H1l3-6zM11 3h3.5l3 6-3 6H11l3-6z"/><circle cx="13" cy="5" r="5" fill="#cf3327"/><text x="13" y="7.6" font-size="7.5" font-family="sans-serif" font-weight="700" fill="#fff" text-anchor="middle">${answer.replace(/[^0-9+]/g, "").slice(0, 2)}</text></svg>`;
      icon.href = answer ? `data:image/svg+xml,${encodeURIComponent(badge)}` : plainIcon;
    }
    if (body) {
      const demos = $$(".row[data-demo]", body);
      if (known && "call" in body.dataset) for (const row of demos) if (!known.has(row.dataset.id)) call(row);
      known = new Set([...(known || []), ...demos.map((row) => row.dataset.id)]);
    }
    for (const group of $$("[data-checks]")) {
      const kept = (store.get(`checks-${group.dataset.checks}`) || "").split(",");
      for (const box of $$("input", group)) box.checked = kept.includes(box.value);
    }
    for (const form of $$("#panel-contact")) warn(form);
    for (const el of $$("[data-close], [data-dialog]")) el.hidden = false;
    mayCall();
  }
  function call(row) {
    if (window.Notification?.permission === "granted") {
      try {
        const called = new Notification("New demo lead", { body: row.dataset.demo || "Open the inbox to see it", tag: `demo-${row.dataset.id}` });
        called.onclick = () => { window.focus(); location.assign(row.href); called.close(); };
      } catch { /* some phones know the word but not the act */ }
    }
    try {
      const audio = new AudioContext(), tone = audio.createOscillator(), volume = audio.createGain();
      tone.frequency.value = 740;
      volume.gain.setValueAtTime(0.08, audio.currentTime);
      volume.gain.exponentialRampToValueAtTime(0.0001, audio.currentTime + 0.6);
      tone.connect(volume).connect(audio.destination);
      tone.start();
      tone.stop(audio.currentTime + 0.6);
    } catch { /* no sound here */ }
  }
  /* The profile: whether this browser may call, asked by a click and never by itself. */
  const MAY_CALL = {
    granted: "This browser may call you.",
    denied: "This browser was told not to show notifications of this site. Its settings for the site can change that.",
    default: "This browser has not been asked yet.",
    none: "This browser cannot show notifications.",
  };
  function mayCall() {
    const place = $("[data-notify-state]"), box = $("[data-notify]");
    if (!place || !box) return;
    const known = window.Notification ? Notification.permission : "none", button = $("button", place);
    const ask = async () => { await Notification.requestPermission(); mayCall(); };
    place.hidden = !box.checked;
    $("[role=status]", place).textContent = MAY_CALL[known];
    button.hidden = known !== "default";
    button.onclick = ask;
    box.onchange = () => { mayCall(); if (box.checked && known === "default") ask(); };
  }
  /* On a phone the navigation is a strip: the page one is on is in sight. */
  $(".nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
  settle();
})();
