"use strict";

/* Uploads with progress. Without this file the forms still work, one photo at a time. */
(() => {
  const LONGEST_KEY = 255;
  const AT_A_TIME = 3;
  const LOOK_UP_AFTER = 300;

  const form = document.querySelector("[data-upload]");
  if (!form) return;
  const input = form.querySelector("#file");
  const choose = form.querySelector("label[for=file]");
  const list = form.querySelector("[data-list]");
  const send = form.querySelector("[data-send]");
  const clear = form.querySelector("[data-clear]");
  const actions = form.querySelector("[data-actions]");
  const status = form.querySelector("[data-status]");
  const limit = Number(form.dataset.limit);
  const fixedKey = form.dataset.key;
  let items = [];
  let sending = 0;

  enhance();

  function enhance() {
    form.querySelector("[data-hint]").hidden = false;
    form.querySelector("[data-key-field]")?.remove();
    input.required = false;
    input.multiple = fixedKey === undefined;
    // The chosen files are listed below: the browser's "No file chosen" would be wrong.
    input.classList.add("visually-hidden");
    choose.className = "button";
    choose.textContent = fixedKey === undefined ? "Choose files" : "Choose a file";
    input.addEventListener("change", () => {
      add([...input.files]);
      input.value = "";
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (sending === 0) start();
    });
    clear.addEventListener("click", () => {
      items.filter((item) => item.state !== "sending").forEach(remove);
      show();
      input.focus();
    });
    acceptDrops();
    window.addEventListener("beforeunload", (event) => {
      if (sending > 0) event.preventDefault();
    });
    show();
  }

  function acceptDrops() {
    let depth = 0;
    const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
    const over = (change) => {
      depth = change === 0 ? 0 : Math.max(0, depth + change);
      form.classList.toggle("over", depth > 0);
    };
    form.addEventListener("dragenter", (event) => carriesFiles(event) && over(1));
    form.addEventListener("dragleave", (event) => carriesFiles(event) && over(-1));
    for (const type of ["dragover", "drop"]) {
      // A file dropped beside the form would otherwise replace the page.
      window.addEventListener(type, (event) => carriesFiles(event) && event.preventDefault());
    }
    form.addEventListener("drop", (event) => {
      over(0);
      const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.());
      const files = [...event.dataTransfer.files].filter((_, index) => !entries[index]?.isDirectory);
      add(files);
      if (files.length < entries.length) say("Folders are left out: drop the files in them.");
    });
  }

  function add(files) {
    items.filter((item) => item.state === "done").forEach(remove);
    if (fixedKey !== undefined) {
      items.forEach(remove);
      files = files.slice(0, 1);
    }
    for (const file of files) {
      const item = { file, state: "waiting", key: fixedKey ?? freeKey(file.name) };
      draw(item);
      items.push(item);
      check(item);
    }
    show();
  }

  /* Two files of one name are two photos: the second gets a number before its ending. */
  function freeKey(name) {
    const taken = new Set(items.map((item) => item.key));
    const dot = name.lastIndexOf(".");
    const [stem, ending] = dot > 0 ? [name.slice(0, dot), name.slice(dot)] : [name, ""];
    let key = name;
    for (let number = 2; taken.has(key); number += 1) key = `${stem} (${number})${ending}`;
    return key;
  }

  function element(name, attributes, ...children) {
    const made = document.createElement(name);
    Object.assign(made, attributes);
    made.append(...children);
    return made;
  }

  function draw(item) {
    const id = `key-${Math.random().toString(36).slice(2)}`;
    item.address = URL.createObjectURL(item.file);
    const preview = element("img", { className: "preview", alt: "", src: item.address });
    preview.addEventListener("error", () => preview.replaceWith(element("span", { className: "preview" })));
    item.said = element("div", { className: "said", id: `${id}-said` });
    item.remove = element("button", { className: "button ghost small", type: "button", textContent: "Remove" });
    item.remove.setAttribute("aria-label", `Remove ${item.file.name}`);
    item.remove.addEventListener("click", () => {
      remove(item);
      show();
      input.focus();
    });
    if (fixedKey === undefined) {
      item.field = element("input", { id, value: item.key, autocomplete: "off", spellcheck: false });
      item.field.setAttribute("aria-describedby", `${id}-said`);
      item.field.addEventListener("input", () => {
        item.key = item.field.value;
        item.state = "waiting";
        clearTimeout(item.timer);
        item.timer = setTimeout(() => check(item), LOOK_UP_AFTER);
        show();
      });
      const label = element("label", { className: "visually-hidden", htmlFor: id, textContent: `Key of ${item.file.name}` });
      item.name = element("div", {}, label, item.field);
    } else {
      item.name = element("span", { className: "clip", textContent: item.file.name, title: item.file.name });
    }
    item.row = element("li", { className: "upload" }, preview, item.name, item.remove, item.said);
    list.append(item.row);
  }

  function remove(item) {
    clearTimeout(item.timer);
    URL.revokeObjectURL(item.address);
    item.row.remove();
    items = items.filter((other) => other !== item);
  }

  function size(bytes) {
    if (bytes < 1024) return `${bytes} B`;
    return bytes < 2 ** 20 ? `${Math.round(bytes / 1024)} KB` : `${(bytes / 2 ** 20).toFixed(1)} MB`;
  }

  /* What is wrong with a file before it is sent, if anything. */
  function objectionToFile(item) {
    if (item.file.size > limit) return `This file is ${size(item.file.size)}; the most is ${form.dataset.limitTold}.`;
    return item.file.size === 0 ? "This file is empty." : undefined;
  }

  function objectionToKey(item) {
    const bytes = new TextEncoder().encode(item.key).length;
    if (bytes === 0) return "Give it a key.";
    if (bytes > LONGEST_KEY) return `The key is ${bytes} bytes long; the most is ${LONGEST_KEY}.`;
    const isTaken = (other) => other !== item && other.state !== "done" && other.key === item.key;
    return items.some(isTaken) ? "Another file of this list has the same key." : undefined;
  }

  function objection(item) {
    return objectionToFile(item) ?? objectionToKey(item);
  }

  async function check(item) {
    const wrong = objection(item);
    item.field?.setAttribute("aria-invalid", String(objectionToKey(item) !== undefined));
    tell(item, wrong ? "failed" : "waiting", wrong ?? size(item.file.size));
    if (wrong || fixedKey !== undefined) return;
    const key = item.key;
    const exists = await fetch(path("/exists/", key))
      .then((answer) => answer.ok && answer.json())
      .catch(() => false);
    if (exists && item.state === "waiting" && item.key === key) {
      tell(item, "waiting", `${size(item.file.size)}. A photo with this key exists and will be replaced.`);
    }
  }

  function path(before, key) {
    return before + encodeURIComponent(key.toWellFormed?.() ?? key);
  }

  function tell(item, state, ...said) {
    item.state = state;
    item.row.className = `upload ${state}`;
    item.said.replaceChildren(...said);
    show();
  }

  /* What a press of the button sends: what waits, and what failed for a reason that may have passed. */
  function waiting() {
    return items.filter((item) => ["waiting", "failed"].includes(item.state) && !objection(item));
  }

  function say(text) {
    status.textContent = text;
  }

  function show() {
    const count = waiting().length;
    choose.classList.toggle("primary", items.length === 0);
    list.hidden = items.length === 0;
    actions.hidden = items.length === 0;
    send.hidden = count === 0 && sending === 0;
    clear.hidden = items.length < 2 || sending > 0;
    const verb = fixedKey === undefined ? "Upload" : "Replace";
    const what = fixedKey === undefined && count > 0 ? ` ${count} ${count === 1 ? "photo" : "photos"}` : "";
    send.textContent = sending > 0 ? `Uploading ${sending}` : verb + what;
    send.setAttribute("aria-busy", String(sending > 0));
  }

  async function start() {
    const queue = waiting();
    const total = queue.length;
    let stored = 0;
    const lane = async () => {
      for (let item = queue.shift(); item; item = queue.shift()) {
        if (items.includes(item) && (await upload(item))) stored += 1;
      }
    };
    await Promise.all(Array.from({ length: AT_A_TIME }, lane));
    say(stored === total ? `${stored} of ${total} uploaded.` : `${stored} of ${total} uploaded; the others say why not.`);
    if (stored > 0) changed();
  }

  /* The photos of the page are shown anew by photos.js, without losing the list. */
  function changed() {
    if (fixedKey !== undefined) location.reload();
    else document.dispatchEvent(new Event("photos-changed"));
  }

  async function upload(item) {
    const key = item.key;
    sending += 1;
    clearTimeout(item.timer);
    lock(item, true);
    const bar = element("progress", { max: 1, value: 0 });
    bar.setAttribute("aria-label", `Progress of ${item.file.name}`);
    tell(item, "sending", bar);
    const failed = await post(key, item.file, (part) => {
      bar.value = part;
      if (part === 1) bar.removeAttribute("value");
    });
    sending -= 1;
    lock(item, false);
    if (failed) {
      tell(item, "failed", failed);
    } else {
      if (item.field) item.field.disabled = true;
      item.remove.textContent = "Dismiss";
      item.remove.setAttribute("aria-label", `Dismiss ${item.file.name}`);
      tell(item, "done", "Uploaded. ", element("a", { href: path("/view/", key), textContent: "View it" }));
    }
    return !failed;
  }

  function lock(item, locked) {
    item.remove.disabled = locked;
    if (item.field) item.field.disabled = locked;
  }

  /* Resolves to what went wrong, or to nothing. fetch() cannot tell how far an upload is. */
  function post(key, file, progressed) {
    return new Promise((resolve) => {
      const request = new XMLHttpRequest();
      const data = new FormData();
      const token = form.elements["csrf-token"];
      if (token) data.append(token.name, token.value);
      data.append("key", key);
      data.append("file", file, "file");
      request.upload.addEventListener("progress", (event) => {
        if (event.lengthComputable) progressed(event.loaded / event.total);
      });
      request.addEventListener("load", () => resolve(reason(request)));
      request.addEventListener("error", () => {
        resolve("The connection broke off, or the file could not be read. Try again.");
      });
      request.open("POST", form.action);
      request.setRequestHeader("accept", "application/json");
      request.send(data);
    });
  }

  function reason(request) {
    try {
      const answer = JSON.parse(request.responseText);
      if (answer.success === "true") return undefined;
      const text = answer.error.message;
      return `${text[0].toUpperCase()}${text.slice(1)}.`;
    } catch {
      return `The server answered ${request.status} without saying why. Try again.`;
    }
  }
})();
