// <details data-behaviour="menu"> closes on Esc, giving the focus back, and on a click elsewhere.

export function start(details, signal) {
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !details.open) return;
    details.open = false;
    details.querySelector("summary")?.focus();
  }, { signal });
  document.addEventListener("click", (event) => {
    if (!details.contains(event.target)) details.open = false;
  }, { signal });
}
