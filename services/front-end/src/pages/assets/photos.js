"use strict";

/* Looking at photos: search while typing, arrow keys among them, Escape. Without this file the form
   and the links still work. */
(() => {
  const SEARCH_AFTER = 200;
  let timer;
  let asked = 0;

  for (const time of document.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    time.title = time.textContent;
    time.textContent = at.toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
  }

  /* A photo that cannot be read (the bucket is away), or is no image in spite of its name, leaves words
     and not a broken frame. */
  function replaceBroken(image) {
    const words = document.createElement("span");
    words.className = image.className;
    words.textContent = "Cannot be shown";
    image.replaceWith(words);
  }

  const PHOTOS = ".gallery img, .photo img";
  for (const image of document.querySelectorAll(PHOTOS)) {
    if (image.complete && image.naturalWidth === 0 && image.loading !== "lazy") replaceBroken(image);
  }
  document.addEventListener("error", ({ target }) => target.matches?.(PHOTOS) && replaceBroken(target), true);

  /* Another page of photos as the server makes it, in the place of what is shown. */
  async function page(address) {
    asked += 1;
    const mine = asked;
    const answer = await fetch(address, { headers: { accept: "text/html" } }).catch(() => undefined);
    // Only the answer to what was asked last is shown.
    if (mine !== asked) return undefined;
    if (!answer?.ok) throw new Error("no answer");
    return new DOMParser().parseFromString(await answer.text(), "text/html");
  }

  document.addEventListener("photos-changed", async () => {
    const photos = (await page(location.href).catch(() => undefined))?.querySelector("#photos");
    if (!photos) return;
    document.querySelector("#photos").replaceWith(photos);
  });

  /* Search. What is found replaces the photos; the field keeps the focus. */
  async function search(field) {
    const text = field.value.trim();
    const address = text === "" ? "/" : `/?${new URLSearchParams({ q: text })}`;
    const listing = document.querySelector("#listing");
    const total = document.querySelector("#total");
    listing.setAttribute("aria-busy", "true");
    try {
      const found = await page(address);
      if (!found) return;
      const [newListing, newTotal] = [found.querySelector("#listing"), found.querySelector("#total")];
      if (!newListing) {
        // Everything was deleted meanwhile.
        location.assign("/");
        return;
      }
      listing.replaceWith(newListing);
      total.textContent = newTotal.textContent;
      total.className = newTotal.className;
      history.replaceState(null, "", address);
    } catch {
      listing.removeAttribute("aria-busy");
      total.textContent = "The search has no answer right now. Press Enter to try again.";
      total.className = "problem";
    }
  }

  document.addEventListener("input", ({ target }) => {
    if (target.id !== "search") return;
    clearTimeout(timer);
    timer = setTimeout(() => search(target), SEARCH_AFTER);
  });

  document.addEventListener("submit", (event) => {
    if (event.target.getAttribute("role") !== "search") return;
    event.preventDefault();
    clearTimeout(timer);
    search(event.target.elements.q);
  });

  /* Keys. */
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey) return;
    const { target } = event;
    const done = target.id === "search" ? inSearch(event) : target.matches(".tile") ? inGallery(event) : elsewhere(event);
    if (done) event.preventDefault();
  });

  function elsewhere({ key, target }) {
    if (target.matches("input, textarea, select")) return false;
    const field = document.querySelector("#search");
    if (key === "/" && field) {
      field.focus();
      field.select();
      return true;
    }
    const back = document.querySelector(".crumbs a");
    if (key === "Escape" && back) {
      back.click();
      return true;
    }
    return false;
  }

  /* Escape empties the field first, and then leaves it. */
  function inSearch({ key, target }) {
    if (key === "ArrowDown") return focus(document.querySelector(".tile"));
    if (key !== "Escape") return false;
    if (target.value === "") {
      target.blur();
    } else {
      target.value = "";
      clearTimeout(timer);
      search(target);
    }
    return true;
  }

  function inGallery(event) {
    const tiles = [...document.querySelectorAll(".tile")];
    const at = tiles.indexOf(event.target);
    const top = tiles[0].offsetTop;
    const inFirstRow = tiles.findIndex((tile) => tile.offsetTop > top);
    const columns = inFirstRow === -1 ? tiles.length : inFirstRow;
    const row = (index) => Math.floor(index / columns);
    switch (event.key) {
      case "ArrowRight":
        return focus(tiles[at + 1]);
      case "ArrowLeft":
        return focus(tiles[at - 1]);
      case "ArrowDown":
        return focus(tiles[at + columns] ?? (row(at) < row(tiles.length - 1) ? tiles.at(-1) : undefined));
      case "ArrowUp":
        return focus(tiles[at - columns] ?? document.querySelector("#search"));
      case "Home":
        return focus(tiles[0]);
      case "End":
        return focus(tiles.at(-1));
      case "Escape":
        return focus(document.querySelector("#search"));
      default:
        return elsewhere(event);
    }
  }

  function focus(element) {
    element?.focus();
    return element !== undefined && element !== null;
  }

  /* Back to where one came from: the page of photos, or what was searched for. */
  const back = document.querySelector(".crumbs a");
  if (back && document.referrer) {
    const from = new URL(document.referrer);
    if (from.origin === location.origin && from.pathname === "/") back.href = from.href;
  }
})();
