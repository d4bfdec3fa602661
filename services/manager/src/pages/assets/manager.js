"use strict";

// Shows the nodes as they change. Everything works without this file.

const EVERY = 2000;
const shown = document.getElementById("pool");
const offline = document.getElementById("offline");
const said = document.getElementById("said");

let last = "";

async function refresh() {
  const answer = await fetch("/pool", { headers: { accept: "text/html" }, signal: AbortSignal.timeout(8000) });
  if (answer.status === 401) {
    location.assign("/login");
    return;
  }
  if (!answer.ok) {
    throw new Error(String(answer.status));
  }
  const text = await answer.text();
  offline.hidden = true;
  if (text !== last) {
    last = text;
    show(new DOMParser().parseFromString(text, "text/html").body.firstElementChild);
  }
}

function show(part) {
  const before = shown.firstElementChild?.dataset.headline;
  if (part.dataset.wanted && !document.getElementById("size")) {
    // The manager has started meanwhile: the forms are on the whole page.
    location.reload();
    return;
  }
  shown.replaceChildren(part);
  if (part.dataset.headline !== before) {
    said.textContent = part.dataset.headline;
  }
  if (part.dataset.wanted) {
    step(part.dataset);
  }
}

// The buttons stay in place (and keep the focus); what they ask for follows the pool.
function step(pool) {
  const form = document.getElementById("size");
  form.elements.from.value = pool.wanted;
  document.getElementById("wanted").textContent = pool.wanted;
  const shrink = document.getElementById("shrink");
  const grow = document.getElementById("grow");
  shrink.value = pool.fewer;
  shrink.disabled = pool.canShrink !== "true";
  grow.value = pool.more;
  grow.disabled = pool.canGrow !== "true";
}

async function follow() {
  if (!document.hidden) {
    try {
      await refresh();
    } catch {
      offline.hidden = false;
    }
  }
  setTimeout(follow, EVERY);
}

if (shown) {
  setTimeout(follow, EVERY);
}

// A form that was sent is on its way: once is enough.
document.addEventListener("submit", (event) => {
  const button = event.submitter;
  if (!button || event.defaultPrevented) {
    return;
  }
  if (event.target.dataset.sent) {
    event.preventDefault();
    return;
  }
  event.target.dataset.sent = "yes";
  button.setAttribute("aria-busy", "true");
});

// Back from another page: the browser may show this one as it was left.
window.addEventListener("pageshow", () => {
  for (const form of document.forms) {
    delete form.dataset.sent;
  }
  for (const button of document.querySelectorAll("[aria-busy]")) {
    button.removeAttribute("aria-busy");
  }
});
