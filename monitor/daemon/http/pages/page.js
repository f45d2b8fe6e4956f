// Keeps an open page current. The page is whole without this file.
"use strict";
(() => {
  const body = document.body;
  const live = "live" in body.dataset;
  const banner = document.getElementById("connection");
  const EVERY = 30000, LONGEST = 60000;
  let stream = null, failures = 0, timer = 0, asked = 0, shown = new Date(), busy = false, again = false;

  const clock = (at) => at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });

  function lost() {
    banner.textContent = `Connection lost. What is shown is from ${clock(shown)}. Trying again.`;
    banner.hidden = false;
    body.classList.add("lost");
  }

  function found() {
    banner.hidden = true;
    body.classList.remove("lost");
  }

  // Where the focus is, so that it can be found again in the new content.
  function focused(main) {
    const one = document.activeElement;
    if (!one || one === main || !main.contains(one)) return null;
    if (one.id) return (next) => next.querySelector(`#${CSS.escape(one.id)}`);
    const path = one.getAttribute("href"), tag = one.tagName;
    const same = (all) => [...all.querySelectorAll(tag)].filter((each) => each.getAttribute("href") === path);
    const at = same(main).indexOf(one);
    return (next) => same(next)[at] || same(next)[0];
  }

  // A person who fills in a form is not interrupted.
  const writes = (main) => [...main.querySelectorAll("input, textarea, select")].some(
    (one) => one === document.activeElement || ("defaultValue" in one && one.value !== one.defaultValue));

  function swap(text) {
    const next = new DOMParser().parseFromString(text, "text/html");
    const main = document.getElementById("main"), fresh = next.getElementById("main");
    if (!fresh || writes(main)) return;
    const find = focused(main), heading = main.querySelector("h1")?.textContent;
    const open = new Map([...main.querySelectorAll("details[id]")].map((one) => [one.id, one.open]));
    const scrolled = [...main.querySelectorAll(".scroll")].map((one) => [one.getAttribute("aria-label"), one.scrollLeft]);
    const [x, y] = [window.scrollX, window.scrollY];
    main.replaceChildren(...fresh.childNodes);
    for (const one of main.querySelectorAll("details[id]")) one.open = open.get(one.id) ?? one.open;
    for (const [name, left] of scrolled) {
      const same = [...main.querySelectorAll(".scroll")].find((one) => one.getAttribute("aria-label") === name);
      if (same) same.scrollLeft = left;
    }
    if (find) find(main)?.focus({ preventScroll: true });
    window.scrollTo(x, y);
    document.title = next.title;
    for (const id of ["warnings", "accounts", "footer"]) {
      const [was, is] = [document.getElementById(id), next.getElementById(id)];
      if (was && is) was.replaceWith(is);
      else if (was) was.remove();
      else if (is) banner.after(is);
    }
    const now = main.querySelector("h1")?.textContent;
    if (now && now !== heading) document.getElementById("announcement").textContent = now;
    shown = new Date();
  }

  async function refresh() {
    if (busy) { again = true; return; }
    busy = true;
    asked = Date.now();
    try {
      const answer = await fetch(location.href, { cache: "no-store", headers: { accept: "text/html" }, signal: AbortSignal.timeout(20000) });
      if (answer.redirected) location.reload();  // to the login: the session is over
      else if (answer.ok) swap(await answer.text());
    } catch { /* the stream says whether the daemon is gone */ }
    busy = false;
    if (again) { again = false; refresh(); }
  }

  function close() {
    stream?.close();
    stream = null;
    clearTimeout(timer);
  }

  function later(wait) {
    close();
    timer = setTimeout(connect, wait * (0.5 + Math.random()));
  }

  function connect() {
    close();
    if (document.hidden) return;
    stream = new EventSource(`${body.dataset.root}/events`);
    stream.onopen = () => {
      if (failures) refresh();
      failures = 0;
      found();
    };
    stream.addEventListener("news", refresh);
    stream.addEventListener("again", () => later(30000));
    stream.onerror = () => {
      failures += 1;
      lost();
      later(Math.min(1000 * 2 ** (failures - 1), LONGEST));
      refresh();
    };
  }

  if (!live || !window.EventSource) return;
  const announcement = document.createElement("p");
  announcement.id = "announcement";
  announcement.className = "unseen";
  announcement.setAttribute("role", "status");
  document.getElementById("footer").before(announcement);
  connect();
  setInterval(() => { if (stream && Date.now() - asked > EVERY) refresh(); }, EVERY / 3);
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) { close(); return; }
    refresh();
    connect();
  });
})();
