// Copy buttons, actions without loading the page again, and what others do meanwhile. Every page
// works without this.
"use strict";
(() => {
  const live = document.body.dataset.live;
  let tag = null, source = null, timer = null;

  function addCopyButtons(root) {
    for (const pre of root.querySelectorAll("pre")) {
      if (pre.closest(".copied")) continue;
      const box = document.createElement("div");
      const button = document.createElement("button");
      box.className = "copied";
      button.type = "button";
      button.className = "copy";
      button.textContent = "Copy";
      pre.replaceWith(box);
      box.append(pre, button);
    }
  }

  // Whoever has no mouse scrolls what has the focus.
  function focusScrolling() {
    for (const pre of document.querySelectorAll("pre")) pre.tabIndex = pre.scrollWidth > pre.clientWidth ? 0 : -1;
  }

  async function copy(button) {
    const text = button.parentElement.querySelector("pre").textContent.replace(/\n$/, "");
    try {
      await navigator.clipboard.writeText(text);
    } catch {  // not over plain HTTP
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
      button.focus();
    }
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  }

  // Replaces a part in place: open details and the focus stay.
  function replace(id, fresh) {
    const old = document.getElementById(id);
    if (!old || !fresh || old.dataset.hash === fresh.dataset.hash) return;
    const open = [...old.querySelectorAll("details")].map(one => one.open);
    const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
    [...fresh.querySelectorAll("details")].forEach((one, at) => { one.open = open[at] ?? one.open; });
    addCopyButtons(fresh);
    fresh.classList.add("changed");
    old.replaceWith(fresh);
    focusScrolling();
    if (focused) document.getElementById(focused)?.focus({preventScroll: true});
  }

  function parsed(html) {
    return new DOMParser().parseFromString(html, "text/html");
  }

  function take(html) {
    const page = parsed(html);
    const ids = node => [...node.querySelectorAll("[data-hash]")].map(one => one.id).join();
    if (ids(page) !== ids(document)) {
      const fresh = document.adoptNode(page.querySelector("main"));
      addCopyButtons(fresh);
      document.querySelector("main").replaceWith(fresh);
      focusScrolling();
      return;
    }
    for (const part of page.querySelectorAll("[data-hash]")) replace(part.id, document.adoptNode(part));
  }

  async function poll() {
    const headers = tag ? {"If-None-Match": tag} : {};
    try {
      const answer = await fetch(location.href, {headers, cache: "no-store"});
      if (answer.status === 200) { tag = answer.headers.get("ETag"); take(await answer.text()); }
    } catch { /* again at the next turn */ }
  }

  function stop() {
    source?.close();
    clearInterval(timer);
    source = timer = null;
  }

  function start() {
    stop();
    if (!live || document.hidden) return;
    poll();
    const fallBack = () => { stop(); timer = setInterval(poll, 5000); };
    source = new EventSource(live);
    source.addEventListener("part", event => {
      const {id, html} = JSON.parse(event.data);
      const part = parsed(`<table><tbody>${html}</tbody></table>`).getElementById(id) || parsed(html).getElementById(id);
      if (part) replace(id, document.adoptNode(part));
    });
    source.addEventListener("page", poll);
    source.onerror = () => { if (source?.readyState === EventSource.CLOSED) fallBack(); };
  }

  document.addEventListener("click", event => {
    const button = event.target.closest("button.copy");
    if (button) copy(button);
  });
  document.addEventListener("submit", async event => {
    const form = event.target;
    if (form.id !== "act") return;
    event.preventDefault();
    const data = new URLSearchParams(new FormData(form, event.submitter));
    try {
      const answer = await fetch(form.action, {method: "POST", body: data});
      const text = await answer.text();
      if (answer.ok && answer.redirected) take(text);
      else document.body.replaceWith(document.adoptNode(parsed(text).body));
    } catch { form.submit(); }
  });
  document.addEventListener("visibilitychange", start);
  addEventListener("resize", focusScrolling);
  addCopyButtons(document);
  focusScrolling();
  start();
})();
