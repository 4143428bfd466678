// <form id data-behaviour="bulk" data-words="All 3,412 matching">: once a whole page is ticked, the bar of actions leads to this form.

export function start(form, signal) {
  const all = document.querySelector("[data-select='all']");
  const count = document.querySelector("[data-select='count']");
  if (!all || !count) return;
  const link = document.createElement("a");
  link.className = "link";
  link.href = `#${form.id}`;
  link.textContent = form.dataset.words;
  link.hidden = true;
  count.after(link);
  // Ticks are counted by select.js, whose listeners are further in.
  for (const name of ["change", "click"]) document.addEventListener(name, () => { link.hidden = !all.checked; }, { signal });
}
