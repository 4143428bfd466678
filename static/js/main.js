// Starts the behaviours a page names: data-behaviour="copy" runs start(element, signal) of copy.js.
import * as bulk from "./bulk.js";
import * as chart from "./chart.js";
import * as copy from "./copy.js";
import * as drop from "./drop.js";
import * as filter from "./filter.js";
import * as keyboard from "./keyboard.js";
import * as keys from "./keys.js";
import * as live from "./live.js";
import * as menu from "./menu.js";
import * as meters from "./meters.js";
import * as reveal from "./reveal.js";
import * as select from "./select.js";
import * as theme from "./theme.js";
import * as times from "./times.js";

const behaviours = { bulk, chart, copy, drop, filter, keyboard, keys, live, menu, meters, reveal, select, theme, times };
const pageLife = new AbortController();
const begun = new WeakSet();

/** Starts every behaviour inside root that has not been started; its listeners and timers end with the signal. */
export function begin(root, signal) {
  for (const element of root.querySelectorAll("[data-behaviour]")) {
    if (begun.has(element)) continue;
    begun.add(element);
    for (const name of element.dataset.behaviour.split(" ")) behaviours[name]?.start(element, signal);
  }
}

// A page kept by the browser for "back" goes on living: only a page that is thrown away ends here.
addEventListener("pagehide", (event) => event.persisted || pageLife.abort(), { signal: pageLife.signal });
begin(document, pageLife.signal);
// What a poll brought in begins to live before it is painted; "morphed" tells what was there already to look again.
addEventListener("htmx:after:swap", () => {
  begin(document, pageLife.signal);
  dispatchEvent(new Event("morphed"));
}, { signal: pageLife.signal });
