// Runs before the first paint, as a plain blocking script: a module would come too late and the page would flash.
try {
  const theme = localStorage.getItem("rqdash-theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // Storage can be forbidden; the system's theme stands then.
}
