// <section data-behaviour="chart" data-url data-key data-read>: draws with uPlot what the table in it says, and draws on when data-read
// changes. Dragging looks closer, a double click looks at all again; what is looked at stays when new values come.
import { columns, moment, options, said } from "./plot.js";

let latest = { of: "", answer: null };

/** The page's values as JSON; all charts of a page share one answer. */
function values(url, read, signal) {
  const of = `${read} ${url}`;
  if (latest.of === of) return latest.answer;
  const asked = fetch(url, { headers: { "Rqdash-Poll": "" }, redirect: "error", signal });
  const answer = asked.then((response) => (response.ok ? response.json() : Promise.reject(new Error(response.statusText))));
  answer.catch(() => latest.answer === answer && (latest = { of: "", answer: null }));
  latest = { of, answer };
  return answer;
}

export function start(section, signal) {
  const place = section.querySelector("[data-chart='plot']");
  const at = section.querySelector("[data-chart='at']");
  let [plot, chart, read, colours] = [null, null, "", {}];

  function look() {
    const lines = [...section.querySelectorAll(".backend > .icon")].map((line) => getComputedStyle(line).color);
    const { color, fontFamily } = getComputedStyle(place);
    colours = { lines, ink: color, rule: getComputedStyle(section).borderTopColor, font: `11px ${fontFamily}` };
  }

  /** Says the values under the pointer, or the newest. */
  function moved() {
    if (!chart) return;
    const index = plot?.cursor.idx ?? null;
    const [times, ...lines] = columns(chart);
    at.textContent = index === null ? at.dataset.rests : moment(times[index]);
    section.querySelectorAll("[data-chart='value']").forEach((value, line) => {
      value.textContent = said(lines[line]?.at(index ?? -1), chart.unit);
    });
  }

  function make() {
    plot?.destroy();
    look();
    const { font } = colours;
    const paint = { colour: (line) => colours.lines[line], ink: () => colours.ink, rule: () => colours.rule, font, moved };
    place.hidden = false;
    plot = new uPlot(options(chart, place.clientWidth, paint), columns(chart), place);
    plot.root.querySelector(".u-select").style.setProperty("background", "var(--tint)");
  }

  /** New values for the lines that are there, in the part of the time that is looked at. */
  function go(found) {
    const [times] = plot.data;
    const { min, max } = plot.scales.x;
    const isClose = min > times[0] || max < times.at(-1);
    chart = found;
    plot.setData(columns(found), !isClose);
    if (isClose) plot.setScale("x", { min, max });
    moved();
  }

  async function draw() {
    const wanted = section.dataset.read;
    if (!window.uPlot || wanted === read || !section.isConnected) return;
    const { history } = await values(section.dataset.url, wanted, signal);
    const found = history.charts.find(({ key }) => key === section.dataset.key);
    if (!found || signal.aborted) return;
    read = wanted;
    at.dataset.rests ??= at.textContent;
    const names = (of) => of?.series.map((line) => `${line.mark.name} ${line.label}`).join("\n");
    if (plot && names(found) === names(chart)) return go(found);
    chart = found;
    make();
  }

  // What cannot be drawn is in the table; the next change of the page tries again.
  const tried = () => draw().catch(() => {});
  const repaint = () => plot && (look(), plot.redraw());
  const themes = new MutationObserver(repaint);
  themes.observe(document.documentElement, { attributeFilter: ["data-theme"] });
  const sizes = new ResizeObserver(() => plot && place.clientWidth && plot.setSize({ width: place.clientWidth, height: plot.height }));
  sizes.observe(place);
  signal.addEventListener("abort", () => (themes.disconnect(), sizes.disconnect(), plot?.destroy()));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint, { signal });
  document.addEventListener("DOMContentLoaded", tried, { signal });
  addEventListener("morphed", tried, { signal });
  tried();
}
