// How a chart looks: uPlot's options, its colours from the page, its words as the table says them.
import { duration } from "./times.js";

const HEIGHT = 180;
const DASHES = [[], [5, 2], [1, 2], [7, 2, 1, 2]];
const SECONDS = [1, 5, 10, 30, 60, 300, 600, 1800, 3600, 10800, 21600, 43200, 86400, 172800, 604800, 2592000];
const COUNTS = [1, 2, 5, 10, 20, 25, 50].concat(...[1e2, 1e3, 1e4, 1e5, 1e6, 1e7].map((size) => [size, 2 * size, 5 * size]));
const DAY_S = 86400;
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const date = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });

/** A value as the table says it. */
export function said(value, unit) {
  if (value === null || value === undefined) return "–";
  return unit === "seconds" ? duration(value) : value.toLocaleString("en", { maximumFractionDigits: 2 });
}

/** The moment of a slot, in the browser's zone. */
export function moment(seconds) {
  const at = new Date(seconds * 1000);
  return `${date.format(at)}, ${clock.format(at)}`;
}

/** The times of the slots and the values of each line, as uPlot wants them. */
export function columns(chart) {
  const start = Date.parse(chart.starts_at) / 1000;
  const times = chart.series[0].values.map((_, index) => start + index * chart.step_s);
  return [times, ...chart.series.map((line) => line.values)];
}

function times(_, splits, axis, space, step) {
  let day = "";
  return splits.map((seconds) => {
    const at = new Date(seconds * 1000);
    const today = date.format(at);
    if (step >= DAY_S) return today;
    const text = today === day ? clock.format(at) : `${clock.format(at)}\n${today}`;
    day = today;
    return text;
  });
}

function short(seconds) {
  const [size, unit] = [[DAY_S, "d"], [3600, "h"], [60, "m"], [1, "s"]].find(([size]) => seconds >= size) ?? [1, "s"];
  return `${+(seconds / size).toFixed(1)} ${unit}`;
}

const amount = (value) => value.toLocaleString("en", { notation: "compact" });

// A slot between two gaps is no line: it is drawn as a point.
function lonely(plot, index) {
  const values = plot.data[index];
  const found = [];
  values.forEach((value, at) => value !== null && values[at - 1] == null && values[at + 1] == null && found.push(at));
  return found;
}

/** Options for a chart; colour(index) is that of a line, ink() of words, rule() of the grid. */
export function options(chart, width, { colour, ink, rule, font, moved }) {
  const axis = { stroke: ink, font, grid: { stroke: rule, width: 1 }, ticks: { stroke: rule, width: 1 } };
  const isTime = chart.unit === "seconds";
  const steps = { seconds: SECONDS, count: COUNTS }[chart.unit];
  const words = (_, splits) => splits.map((value) => (isTime ? short(value) : amount(value)));
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    cursor: { sync: { key: "charts" }, y: false },
    scales: { y: { range: (_, low, high) => [0, (high || 1) * 1.05] } },
    axes: [{ ...axis, values: times }, { ...axis, size: 54, values: words, ...(steps && { incrs: steps }) }],
    series: [{}, ...chart.series.map((line, index) => ({
      stroke: () => colour(index),
      width: 1.5,
      dash: DASHES[line.dash % DASHES.length],
      points: { show: () => false, filter: lonely, size: 4, fill: () => colour(index) },
    }))],
    hooks: { setCursor: [moved] },
  };
}
