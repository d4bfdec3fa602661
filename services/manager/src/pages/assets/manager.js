"use strict";

/* Shows what changes as it changes, in the reader's own time. Everything works without this file. */

const offline = document.getElementById("offline");
const said = document.getElementById("said");

/* Asks for a part of a page; null when the login is over and the page is left. */
async function ask(address) {
  const answer = await fetch(address, { headers: { accept: "text/html" }, signal: AbortSignal.timeout(8000) });
  if (answer.status === 401) {
    location.assign("/login");
    return null;
  }
  if (!answer.ok) {
    throw new Error(String(answer.status));
  }
  return answer.text();
}

function parsed(text) {
  return new DOMParser().parseFromString(text, "text/html").body.firstElementChild;
}

/* Calls `refresh` again and again while the page is looked at: it answers after how many
   milliseconds, and is called at once when the page is looked at again. */
function repeat(refresh, first) {
  let timer = setTimeout(next, first);
  let isAsking = false;
  async function next() {
    if (document.hidden || isAsking) {
      return;
    }
    clearTimeout(timer);
    let pause = first;
    isAsking = true;
    try {
      pause = (await refresh()) ?? first;
      offline.hidden = true;
    } catch {
      offline.hidden = false;
    }
    isAsking = false;
    timer = setTimeout(next, pause);
  }
  document.addEventListener("visibilitychange", next);
}

/* A part that is replaced by what the manager shows of it now. */
function follow(part) {
  const every = Number(part.dataset.every);
  let last = "";
  repeat(async () => {
    const text = await ask(part.dataset.follow);
    if (text !== null && text !== last) {
      last = text;
      replace(part, parsed(text));
    }
    return every;
  }, every);
}

function replace(part, shown) {
  const before = part.firstElementChild?.dataset ?? {};
  const now = shown?.dataset ?? {};
  if ((before.reload && !now.reload) || (before.busy && !now.busy)) {
    /* The manager has started, or has done what it was at: the rest of the page is old. */
    location.reload();
    return;
  }
  const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
  part.replaceChildren(...(shown ? [shown] : []));
  localise(part);
  if (focused) {
    document.getElementById(focused)?.focus();
  }
  if (now.headline && now.headline !== before.headline) {
    said.textContent = now.headline;
  }
  if (now.wanted) {
    step(now);
  }
}

/* The buttons stay in place (and keep the focus); what they ask for follows the pool. */
function step(pool) {
  const form = document.getElementById("size");
  form.elements.from.value = pool.wanted;
  document.getElementById("wanted").textContent = pool.wanted;
  document.getElementById("automatic").hidden = pool.automatic !== "true";
  const shrink = document.getElementById("shrink");
  const grow = document.getElementById("grow");
  shrink.value = pool.fewer;
  shrink.disabled = pool.canShrink !== "true";
  grow.value = pool.more;
  grow.disabled = pool.canGrow !== "true";
}

/* Times come in UTC, and are told in the reader's. */
const FORMATS = {
  clock: new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" }),
  moment: new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" }),
};

function localise(part) {
  for (const time of part.querySelectorAll("time[data-told]")) {
    time.textContent = FORMATS[time.dataset.told].format(new Date(time.dateTime));
  }
}

localise(document);
for (const part of document.querySelectorAll("[data-follow]")) {
  follow(part);
}

/* A form that was sent is on its way: once is enough. */
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

/* Back from another page: the browser may show this one as it was left. */
window.addEventListener("pageshow", () => {
  for (const form of document.forms) {
    delete form.dataset.sent;
  }
  for (const button of document.querySelectorAll("[aria-busy]")) {
    button.removeAttribute("aria-busy");
  }
});
