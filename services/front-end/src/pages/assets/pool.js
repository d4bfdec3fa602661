"use strict";

/* The pool as this page sees it: how it stands, told anew while somebody looks, and where the photo
   shown here came from. Without this file the page says how things stood when it was made. */
(() => {
  const PAUSES = [1000, 60_000];

  const line = document.querySelector("[data-standing]");
  let source;
  let timer;
  let pause = PAUSES[0];

  /* The same words are not said twice to whoever listens to the page. */
  function show({ tone, text }) {
    if (line.textContent === text) return;
    line.className = `standing ${tone}`;
    line.textContent = text;
  }

  /* Only pages that are looked at listen: a browser has six connections to us for all of them. */
  function listen() {
    clearTimeout(timer);
    if (source || document.hidden) return;
    source = new EventSource("/pool/events");
    source.addEventListener("message", ({ data }) => {
      pause = PAUSES[0];
      show(JSON.parse(data));
    });
    source.addEventListener("error", later);
  }

  function stop() {
    clearTimeout(timer);
    source?.close();
    source = undefined;
  }

  /* Once may be a service that starts again; twice is worth a word. */
  function later() {
    stop();
    if (pause > PAUSES[0]) show({ tone: "", text: "Pool: no news at the moment" });
    timer = setTimeout(listen, pause * (0.5 + Math.random() / 2));
    pause = Math.min(pause * 2, PAUSES[1]);
  }

  if (line) {
    document.addEventListener("visibilitychange", () => (document.hidden ? stop() : listen()));
    window.addEventListener("pagehide", stop);
    window.addEventListener("pageshow", listen);
    listen();
  }

  /* The photo's bytes are in the browser's cache, and with them the head of the very answer that they
     came in: asking the cache alone asks nobody anew. */
  async function tellServed(image) {
    await image.decode();
    const answer = await fetch(image.currentSrc, { cache: "only-if-cached", mode: "same-origin" });
    const { headers } = answer;
    answer.body?.cancel();
    const said = SAID[headers.get("x-bivouac-cache")];
    if (!said) return;
    const told = document.querySelector("[data-served]");
    document.querySelector("[data-served-name]").textContent = "Served by";
    told.replaceChildren(...said(headers), ` · ${took(headers)}`);
  }

  function node(headers) {
    const id = document.createElement("span");
    id.className = "key";
    id.textContent = headers.get("x-bivouac-served-by");
    return [id, ` (node ${headers.get("x-bivouac-node")})`];
  }

  const SAID = {
    hit: (headers) => [...node(headers), " · hit"],
    miss: (headers) => ["the bucket · miss at ", ...node(headers)],
    "read-through": () => ["the bucket · read through"],
    unchanged: () => ["this browser, which had it · unchanged"],
  };

  function took(headers) {
    const milliseconds = Number(/dur=([\d.]+)/.exec(headers.get("server-timing"))?.[1]);
    return `${milliseconds.toFixed(milliseconds < 10 ? 1 : 0)} ms`;
  }

  const image = document.querySelector(".photo img");
  // What the cache does not keep is not told.
  if (image) tellServed(image).catch(() => {});
})();
