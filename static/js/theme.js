// The button that goes round system, light, dark; theme-early.js applies the choice on the next page.
import { keep, recall } from "./store.js";

const themes = ["system", "light", "dark"];

function show(button, theme) {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  const word = button.querySelector("[data-theme-word]");
  if (word) word.textContent = `Theme: ${theme}`;
}

export function start(button, signal) {
  const now = () => themes[Math.max(0, themes.indexOf(recall("theme")))];
  let theme = now();
  button.hidden = false;
  show(button, theme);
  button.addEventListener("click", () => {
    theme = themes[(themes.indexOf(theme) + 1) % themes.length];
    keep("theme", theme === "system" ? null : theme);
    show(button, theme);
  }, { signal });
  // Another tab, or the same button in the menu of small screens.
  addEventListener("storage", () => show(button, (theme = now())), { signal });
}
