// <nav data-behaviour="reveal">: a strip that scrolls sideways starts with its current link in sight.

export function start(strip) {
  const current = strip.querySelector("[aria-current]");
  if (current) strip.scrollLeft = current.offsetLeft - (strip.clientWidth - current.offsetWidth) / 2;
}
