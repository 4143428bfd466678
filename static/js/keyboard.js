// Keys of visual.md 12 for what exists: g and a letter, 0-9 for the scope, j k x a on rows, r m for the ticked, p to pause, / to search, Esc.
import { recall } from "./store.js";

const G_MS = 1200;
const rows = () => [...document.querySelectorAll("main table tbody tr")].filter((row) => row.querySelector(".name"));
const current = () => document.activeElement?.closest("tbody tr");

function isTyping(target) {
  return target.closest?.("textarea, select, [contenteditable], input:not([type=checkbox], [type=radio])");
}

function step(by) {
  const list = rows();
  const index = list.indexOf(current());
  const next = index < 0 ? (by > 0 ? 0 : list.length - 1) : index + by;
  list[next]?.querySelector(".name").focus();
}

function tick(event) {
  const box = current()?.querySelector("input[name='id']");
  // A click, so that Shift makes a range as with the mouse; the focus stays on the row's link.
  box?.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true, shiftKey: event.key === "X" }));
}

function scope(number) {
  document.querySelectorAll(".scope a")[number]?.click();
}

function press(selector) {
  const button = document.querySelector(selector);
  if (button && !button.closest("[hidden]")) button.click();
}

function find(event) {
  const box = document.querySelector("input[data-key='/']");
  if (!box) return;
  event.preventDefault();
  box.select();
  box.focus();
}

const keys = {
  "/": find,
  j: () => step(1),
  k: () => step(-1),
  x: tick,
  X: tick,
  a: () => press("[data-select='all']"),
  r: () => press("button[data-key='r']"),
  m: () => press("button[data-key='m']"),
  p: () => press("[data-live='pause']"),
  Escape: () => press("[data-select='clear']"),
};

export function start(body, signal) {
  let gAt = -Infinity;
  body.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || recall("keys") === "off") return;
    if (event.timeStamp - gAt < G_MS) press(`nav a[data-key='g ${CSS.escape(event.key)}']`);
    else if (/^[0-9]$/.test(event.key)) scope(Number(event.key));
    else keys[event.key]?.(event);
    gAt = event.key === "g" ? event.timeStamp : -Infinity;
  }, { signal });
}
