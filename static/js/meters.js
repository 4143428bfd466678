// Redraws <svg data-from data-limit>: how much of its time limit (seconds) a running job has used; amber from 90 % on, with its words.

function draw(meter, now) {
  const share = Math.min(Math.max((now - Date.parse(meter.dataset.from)) / 1000 / Number(meter.dataset.limit), 0), 1);
  if (Number.isNaN(share)) return;
  meter.lastElementChild?.setAttribute("width", (share * Number(meter.getAttribute("width"))).toFixed(1));
  meter.classList.toggle("meter--near", share >= 0.9);
  meter.closest("td, dd")?.querySelector("[data-near]")?.classList.toggle("warm", share >= 0.9);
}

export function start(element, signal) {
  const drawAll = () => {
    const now = Date.now();
    for (const meter of element.querySelectorAll("svg[data-from]")) draw(meter, now);
  };
  drawAll();
  const timer = setInterval(() => document.hidden || drawAll(), 1000);
  signal.addEventListener("abort", () => clearInterval(timer));
  addEventListener("morphed", drawAll, { signal });
}
