// The box that switches single-key shortcuts off in this browser, for people whose tools type for them.
import { keep, recall } from "./store.js";

export function start(box, signal) {
  box.checked = recall("keys") !== "off";
  box.disabled = false;
  box.addEventListener("change", () => keep("keys", box.checked ? null : "off"), { signal });
}
