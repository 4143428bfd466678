// <button hidden data-behaviour="copy" data-copy="text"> or data-copy-from="id of the element that holds it".

const DONE_MS = 1500;

/** Copies on plain HTTP too, where navigator.clipboard is missing. */
async function copied(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const box = document.createElement("textarea");
  box.value = text;
  box.className = "sr";
  document.body.append(box);
  box.select();
  document.execCommand("copy");
  box.remove();
}

function textFor(button) {
  return button.dataset.copy ?? document.getElementById(button.dataset.copyFrom ?? "")?.textContent ?? "";
}

export function start(button, signal) {
  const label = button.getAttribute("aria-label");
  button.hidden = false;
  button.addEventListener("click", async () => {
    const said = await copied(textFor(button)).then(() => "Copied", () => "The browser did not allow copying");
    button.focus();
    button.setAttribute("aria-label", said);
    button.title = said;
    setTimeout(() => {
      button.setAttribute("aria-label", label);
      button.title = "";
    }, DONE_MS);
  }, { signal });
}
