"use strict";
(() => {
const QUIET = 40000, GRACE = 2000, LONGEST = 10000;
const live = document.getElementById("live"), banner = document.getElementById("banner"), news = document.getElementById("news"), pulse = document.getElementById("pulse");
let skew = 0, source = null, seen = "", heard = Date.now(), tried = Date.now(), lost = null, why = "", wait = 1000, pending = 0;

const room = () => document.getElementById("room");
const now = () => Date.now() + skew;
const two = n => String(n).padStart(2, "0");
const clock = moment => new Date(moment).toISOString().slice(11, 19) + " UTC";

function lasting(ms) {
  const s = Math.max(0, Math.round(ms / 1000)), m = Math.floor(s / 60), h = Math.floor(m / 60);
  if (h >= 100) return Math.floor(h / 24) + " d " + two(h % 24) + " h";
  return h ? h + " h " + two(m % 60) + " min" : m ? m + " min " + two(s % 60) + " s" : s + " s";
}

function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function tick() {
  for (const node of live.querySelectorAll("[data-deadline]")) {
    const left = Date.parse(node.dataset.deadline) - now();
    write(node, left > 0 ? lasting(left) + " left" : "The time to answer is over");
  }
  for (const node of live.querySelectorAll("[data-due]")) {
    const left = Date.parse(node.dataset.due) - now();
    write(node, left > 0 ? lasting(left) + " left" : "over by " + lasting(-left));
  }
  for (const node of live.querySelectorAll("[data-since]")) write(node, lasting(now() - Date.parse(node.dataset.since)));
  if (Date.now() - Math.max(heard, tried) > QUIET) { lose(heard); open(); }
  if (lost !== null && Date.now() - lost > GRACE) complain();
}

// Changes only what differs, so that focus, scrolled boxes and what is unfolded stay as they are.
function patch(old, fresh) {
  for (const {name, value} of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  for (const {name} of [...old.attributes]) if (!fresh.hasAttribute(name) && name !== "open" && name !== "tabindex") old.removeAttribute(name);
  const named = new Map([...old.children].filter(node => node.id).map(node => [node.id, node]));
  let at = old.firstChild;
  for (const node of [...fresh.childNodes]) {
    const twin = node.id ? named.get(node.id) : at && !at.id && at.nodeName === node.nodeName ? at : null;
    if (!twin) { old.insertBefore(node, at); continue; }
    if (twin === at) at = at.nextSibling; else old.insertBefore(twin, at);
    if (twin.isEqualNode(node)) continue;
    if (twin.nodeType === Node.ELEMENT_NODE) patch(twin, node); else twin.data = node.data;
  }
  while (at) { const next = at.nextSibling; at.remove(); at = next; }
}

function show(html) {
  const fresh = new DOMParser().parseFromString(html, "text/html").getElementById("room");
  if (!fresh) return;
  const held = document.activeElement, section = held && held.closest("section");
  const mark = [...live.querySelectorAll("li[id], section[id]")].find(node => node.getBoundingClientRect().bottom > 0 && node.getBoundingClientRect().top > -200);
  const top = mark && mark.getBoundingClientRect().top;
  patch(room(), fresh);
  tick();
  if (mark && mark.isConnected && window.scrollY > 0) window.scrollBy(0, mark.getBoundingClientRect().top - top);
  if (held && held !== document.body && !held.isConnected) {
    const next = (section && section.isConnected && section.querySelector("h2")) || document.getElementById("what");
    next.tabIndex = -1;
    next.focus({preventScroll: true});
  }
  document.title = document.title.replace(/^(\(!\) )?/, live.querySelector("[data-deadline]") ? "(!) " : "");
  write(news, room().dataset.news);
}

function lose(when) {
  if (lost === null) lost = when;
}

function complain() {
  const p = document.createElement("p"), sign = document.createElement("span");
  sign.className = "sign bad"; sign.textContent = "✗"; sign.ariaHidden = "true";
  p.className = "big";
  p.append(sign, " ", why || "Connection lost at " + clock(lost + skew) + " - what you see is from then");
  write(pulse, "not live");
  if (banner.textContent === p.textContent) return;
  const note = document.createElement("div");
  note.className = "note bad";
  note.append(p);
  banner.replaceChildren(note);
}

function alive() {
  heard = Date.now(); lost = null; why = ""; wait = 1000;
  write(pulse, "live");
  if (banner.firstChild) banner.replaceChildren();
}

function open() {
  clearTimeout(pending);
  if (source) source.close();
  tried = Date.now();
  source = new EventSource(live.dataset.stream + "?after=" + encodeURIComponent(seen));
  source.addEventListener("beat", event => { skew = Date.parse(event.data) - Date.now(); alive(); });
  source.addEventListener("room", event => { seen = event.lastEventId; alive(); show(event.data); });
  source.onerror = () => {
    lose(Date.now());
    if (source.readyState === EventSource.CLOSED) again();
  };
}

// A browser gives up where the answer is no stream: ask why, and go on trying.
async function again() {
  pending = setTimeout(open, wait);
  wait = Math.min(wait * 2, LONGEST);
  try {
    const answer = await fetch(location.pathname, {method: "HEAD", redirect: "manual", cache: "no-store"});
    if (lost === null) return;
    const at = " since " + clock(lost + skew) + " - what you see is from then. ";
    if (answer.status === 403) why = "You are not let in any more" + at + "Ask for a new link: crisis link NAME";
    else if (answer.ok) why = "Not live" + at + "Too many people are watching; reload the page to see more";
  } catch { why = ""; }
}

addEventListener("offline", () => { lose(Date.now()); });
addEventListener("online", open);
addEventListener("pageshow", event => { if (event.persisted) open(); });
document.addEventListener("visibilitychange", () => { if (!document.hidden && lost !== null) open(); });

skew = Date.parse(room().dataset.now) - Date.now();
seen = room().dataset.seq;
open();
tick();
setInterval(tick, 1000);
})();
