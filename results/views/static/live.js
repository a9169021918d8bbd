// Keeps a page up to date: asks for one word every other second and, when it differs, fetches the same page and
// replaces the parts that changed. Scroll position, focus, opened details and selected text stay as they are. Every
// page works without this file.
"use strict";

const POLL_MS = 2000;
const FIGURE_MS = 8000; // a figure is drawn anew on the server: not at every candidate of a busy campaign
const link = document.getElementById("link");
const drawn = new WeakMap();
let parts = fingerprints(document);
let polling = false;

function fingerprints(page) {
  return new Map([...page.querySelectorAll("[data-part]")].map((part) => [part.dataset.part, part.outerHTML]));
}

async function poll() {
  if (polling || document.hidden || !document.body.dataset.poll) return;
  polling = true;
  try {
    const answer = await fetch(document.body.dataset.poll, { cache: "no-store" });
    if (answer.ok) {
      const { state } = await answer.json();
      if (state !== document.body.dataset.state) await refresh();
    }
    say("");
  } catch {
    say("The dashboard does not answer: it was stopped.");
  } finally {
    polling = false;
  }
}

function say(text) {
  if (link.textContent === text) return;
  link.textContent = text;
  link.hidden = !text;
}

async function refresh() {
  const answer = await fetch(location.href, { cache: "no-store" });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = fingerprints(page);
  const shown = [...document.querySelectorAll("[data-part]")];
  if (shown.map((part) => part.dataset.part).join() !== [...fresh.keys()].join()) {
    replace(document.getElementById("content"), page.getElementById("content"));
    parts = fresh;
  } else {
    for (const part of shown) {
      const name = part.dataset.part;
      if (fresh.get(name) === parts.get(name) || isSelected(part)) continue;
      replace(part, page.querySelector(`[data-part="${CSS.escape(name)}"]`));
      parts.set(name, fresh.get(name));
    }
  }
  document.title = page.title;
  document.body.dataset.state = page.body.dataset.state;
}

function isSelected(part) {
  const selection = getSelection();
  return !selection.isCollapsed && selection.containsNode(part, true);
}

function replace(old, fresh) {
  const focus = old.contains(document.activeElement) ? address(document.activeElement) : "";
  for (const details of old.querySelectorAll("details[id]")) {
    const twin = fresh.querySelector(`#${CSS.escape(details.id)}`);
    if (twin) twin.open = details.open;
  }
  for (const box of fresh.querySelectorAll("input[type=checkbox]")) {
    const twin = old.querySelector(`input[name="${CSS.escape(box.name)}"][value="${CSS.escape(box.value)}"]`);
    if (twin) box.checked = twin.checked;
  }
  const scrolled = [...old.querySelectorAll(".scroll")].map((box) => box.scrollLeft);
  keepFigures(old, fresh);
  old.replaceWith(fresh);
  fresh.querySelectorAll(".scroll").forEach((box, place) => (box.scrollLeft = scrolled[place] ?? 0));
  if (focus) fresh.querySelector(focus)?.focus({ preventScroll: true });
}

function address(element) {
  if (element.id) return `#${CSS.escape(element.id)}`;
  const href = element.getAttribute("href");
  if (href) return `a[href="${CSS.escape(href)}"]`;
  const label = element.getAttribute("aria-label");
  if (label) return `[aria-label="${CSS.escape(label)}"]`;
  return element.value ? `[value="${CSS.escape(element.value)}"]` : "";
}

// The figure that is seen stays until the new one has come.
function keepFigures(old, fresh) {
  const known = new Map([...old.querySelectorAll("img")].map((image) => [image.src.split("?")[0], image]));
  for (const image of fresh.querySelectorAll("img")) {
    const shown = known.get(image.src.split("?")[0]);
    if (!shown) continue;
    const wanted = image.getAttribute("src");
    shown.alt = image.alt;
    image.replaceWith(shown);
    shown.dataset.wanted = wanted;
    const wait = Math.max(0, (drawn.get(shown) ?? 0) + FIGURE_MS - Date.now());
    if (!shown.dataset.waiting && shown.getAttribute("src") !== wanted) {
      shown.dataset.waiting = "yes";
      setTimeout(() => swap(shown), wait);
    }
  }
}

function swap(shown) {
  delete shown.dataset.waiting;
  drawn.set(shown, Date.now());
  const wanted = shown.dataset.wanted;
  const next = new Image();
  next.onload = () => shown.setAttribute("src", wanted);
  next.src = wanted;
}

setInterval(poll, POLL_MS);
document.addEventListener("visibilitychange", poll);
