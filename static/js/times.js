// Redraws <time datetime data-shows="ago|for|clock|stamp"> in the browser's zone; ages move on by themselves.

const DAY_S = 86400;
const two = (number) => String(number).padStart(2, "0");
const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** Whole seconds as two units at most: "14 m 08 s", "9 d 1 h". The server's filter `duration` says the same. */
export function duration(seconds) {
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} m ${two(seconds % 60)} s`;
  if (seconds < DAY_S) return `${Math.floor(seconds / 3600)} h ${two(Math.floor((seconds % 3600) / 60))} m`;
  return `${Math.floor(seconds / DAY_S)} d ${Math.floor((seconds % DAY_S) / 3600)} h`;
}

function ago(at, now) {
  const seconds = Math.round((now - at) / 1000);
  return seconds < 0 ? `in ${duration(-seconds)}` : `${duration(seconds)} ago`;
}

const clock = (at) => `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;

function stamp(at, now) {
  const year = at.getFullYear() === now.getFullYear() ? "" : ` ${at.getFullYear()}`;
  return `${at.getDate()} ${months[at.getMonth()]}${year}, ${clock(at)}`;
}

const shapes = {
  ago,
  clock,
  stamp,
  for: (at, now) => duration(Math.max(0, Math.round((now - at) / 1000))),
};

function draw(time, now) {
  const at = new Date(time.dateTime);
  if (Number.isNaN(at.getTime())) return;
  const text = (shapes[time.dataset.shows] ?? stamp)(at, now);
  if (time.textContent !== text) time.textContent = text;
}

function addZone(time, zone, now) {
  const at = new Date(time.dateTime);
  if (!Number.isNaN(at.getTime())) time.title = `${stamp(at, now)} ${zone}; ${time.title}`;
}

export function start(element, signal) {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const drawAll = () => {
    const now = new Date();
    for (const time of element.querySelectorAll("time[data-shows]")) {
      if (!time.title.includes(`${zone};`)) addZone(time, zone, now);
      draw(time, now);
    }
  };
  drawAll();
  const timer = setInterval(() => document.hidden || drawAll(), 1000);
  signal.addEventListener("abort", () => clearInterval(timer));
  document.addEventListener("visibilitychange", drawAll, { signal });
  addEventListener("morphed", drawAll, { signal });
}
