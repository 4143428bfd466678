// Rows to act on, in <form data-behaviour="select">: tick all of the page, ranges with Shift, how many in the bar of actions.

export function start(form, signal) {
  const boxes = () => [...form.querySelectorAll("input[name='id']")];
  const all = form.querySelector("[data-select='all']");
  const bar = form.querySelector("[data-select='bar']");
  const count = form.querySelector("[data-select='count']");
  const clear = form.querySelector("[data-select='clear']");
  let last = null;

  function show() {
    const ticked = boxes().filter((box) => box.checked).length;
    if (count) count.textContent = `${ticked.toLocaleString("en")} selected`;
    if (bar) bar.hidden = ticked === 0;
    if (all) {
      all.checked = ticked > 0 && ticked === boxes().length;
      all.indeterminate = ticked > 0 && !all.checked;
    }
  }

  function set(some, checked) {
    for (const box of some) box.checked = checked;
    show();
  }

  function range(from, to) {
    const list = boxes();
    const [low, high] = [list.indexOf(from), list.indexOf(to)].sort((a, b) => a - b);
    return list.slice(Math.max(low, 0), high + 1);
  }

  form.addEventListener("click", (event) => {
    if (event.target.name !== "id") return;
    if (event.shiftKey && last?.isConnected) set(range(last, event.target), event.target.checked);
    last = event.target;
  }, { signal });
  form.addEventListener("change", (event) => (event.target === all ? set(boxes(), all.checked) : show()), { signal });
  clear?.addEventListener("click", () => set(boxes(), false), { signal });
  // The browser fills ticks in again on "back", after the page was shown.
  addEventListener("pageshow", show, { signal });
  addEventListener("morphed", show, { signal });

  for (const element of [all?.closest("label"), clear]) element?.removeAttribute("hidden");
  show();
}
