/* Time in the browser: clocks that tick, the undo's countdown, the hour in the top bar.
   The server says every deadline and what it means; this only counts on between two of its answers. */
(() => {
  "use strict";
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

  /* Clocks: words and bar go on by themselves between two answers of the server. */
  const ICON = { soon: "half", late: "late", over: "warn" };
  const two = (n) => String(n).padStart(2, "0");
  function lengthOf(seconds) {
    if (seconds < 60) return `${seconds} s`;
    if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
    if (seconds < 86400) {
      const minutes = Math.floor(seconds % 3600 / 60);
      return `${Math.floor(seconds / 3600)} h${minutes ? ` ${two(minutes)}` : ""}`;
    }
    const days = Math.floor(seconds / 86400), hours = Math.floor(seconds % 86400 / 3600);
    return `${days} day${days === 1 ? "" : "s"}${hours && days < 7 ? ` ${hours} h` : ""}`;
  }
  /* The server's clock, whatever this computer's says: its moment when the page was sent, and how long ago
     that was. Sleep stops the browser's count, so each later answer's date puts it right. */
  const sent = performance.getEntriesByType("navigation")[0]?.responseStart || 0;
  let ahead = (Date.parse(document.body.dataset.now) || Date.now()) - sent;
  const serverNow = () => ahead + performance.now();
  document.addEventListener("htmx:afterRequest", (event) => {
    const said = Date.parse(event.detail.xhr?.getResponseHeader("Date") || "");
    if (said && Math.abs(said + 500 - serverNow()) > 2000) ahead = said + 500 - performance.now();
  });
  /* What of the time before a deadline is outside working hours: there the bar stands still. */
  const closedAhead = (clock, now) => (clock.dataset.closed || "").split(" ").filter(Boolean)
    .map((stretch) => stretch.split("/").map(Number))
    .reduce((sum, [from, to]) => sum + Math.max(0, to - Math.max(from, now / 1000)), 0);
  function tick() {
    const now = serverNow();
    for (const clock of $$("[data-due]")) {
      const total = Number(clock.dataset.total), left = (Date.parse(clock.dataset.due) - now) / 1000;
      const closed = closedAhead(clock, now), share = Math.max(0, Math.min(1, (left - closed) / total));
      const state = left <= 0 ? "over" : share > 0.5 ? "" : share > 0.2 ? "soon" : "late";
      const isLarge = clock.classList.contains("clock-lg"), isFine = total <= 600 && !closed;
      const staysADay = "day" in clock.dataset && closed > 0;
      let words = left <= 0 ? lengthOf(Math.floor(-left))
        : isFine ? `${Math.floor(left / 60)}:${two(Math.floor(left % 60))}` : lengthOf(Math.floor(left));
      if (!isLarge && left <= 0) words += " late";
      if (!isLarge && left > 0 && isFine) words += " left";
      const place = $("[data-words]", clock);
      if (place && !staysADay && place.textContent !== words) place.textContent = words;
      const rest = $("[data-rest]", clock);
      if (rest && !staysADay) rest.textContent = left <= 0 ? `late to ${clock.dataset.what}` : `left to ${clock.dataset.what}`;
      const bar = $(".bar rect", clock);
      if (bar) bar.setAttribute("width", `${(share * 100).toFixed(1)}%`);
      if ((clock.dataset.state || "") !== state) {
        if (state) clock.dataset.state = state; else delete clock.dataset.state;
        const use = $("b use", clock);
        if (use) use.setAttribute("href", `#i-${ICON[state] || "none"}`);
      }
    }
    for (const toast of $$(".toast:not([data-tone=late])")) {
      toast._until ??= now + Number(toast.dataset.seconds || 10) * 1000;
      const left = Math.ceil((toast._until - now) / 1000);
      const count = $("[data-countdown]", toast);
      if (count) count.textContent = `${Math.max(0, left)} s`;
      if (left <= 0) toast.remove();
    }
  }
  setInterval(tick, 1000);
  document.addEventListener("htmx:afterSettle", tick);
  tick();

  /* The viewer's own clock in the top bar. */
  const top = $("[data-zone]");
  if (top) {
    const parts = { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hour12: false };
    const show = () => {
      try {
        const found = Object.fromEntries(new Intl.DateTimeFormat("en-GB", { ...parts, timeZone: top.dataset.zone }).formatToParts(serverNow()).map((part) => [part.type, part.value]));
        top.firstElementChild.textContent = `${found.weekday} ${found.day} ${found.month}, ${found.hour}:${found.minute}`;
      } catch { /* a zone this browser does not know: the server's words stay */ }
    };
    setInterval(show, 15000);
  }
})();
