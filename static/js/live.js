// Keeps a live page current: asks its own address again some time after the last answer, and morphs in what changed.
// It waits while the tab is hidden, rows are ticked, a dialog is open or the operator pauses; after failures it asks less often.

const EVERY_MS = 2000;
const LONGEST_MS = 30000;
const TICKED = "form[data-behaviour~='select'] input[name='id']:checked";

export function start(live, signal) {
  const stamp = document.getElementById("stamp");
  const pause = stamp?.querySelector("[data-live='pause']");
  const token = document.querySelector("meta[name='rqdash-token']")?.content ?? "";
  let digest = live.dataset.digest;
  let paused = false;
  let wait = EVERY_MS;
  let timer = null; // null while a turn is under way

  const isBusy = () => document.hidden || paused || document.querySelector(`dialog[open], ${TICKED}`) !== null;
  const later = (ms) => { clearTimeout(timer); timer = setTimeout(turn, ms); };

  // Others get the same text, so the token of this browser's forms is not in it.
  function sign() {
    for (const input of live.querySelectorAll("input[name='csrf_token']")) input.value = token;
  }

  function say(asked) {
    const time = stamp?.querySelector("time");
    stamp?.classList.toggle("warm", asked === null);
    if (time && asked) time.dateTime = asked.toISOString();
    if (stamp) stamp.title = asked ? "" : "The last try to refresh failed: this is how old the page is.";
  }

  async function ask() {
    const asked = new Date();
    const ends = AbortSignal.any([signal, AbortSignal.timeout(LONGEST_MS)]);
    const answer = await fetch(location.href, { headers: { "Rqdash-Poll": digest }, redirect: "error", signal: ends });
    if (!answer.ok) throw new Error(answer.statusText);
    const text = answer.status === 200 ? await answer.text() : "";
    // Somebody may have ticked a row meanwhile: then it is asked for again later.
    if (text && isBusy()) return;
    addEventListener("htmx:after:swap", sign, { once: true });
    if (text) await htmx.swap({ text, target: live, swap: "outerMorph" });
    digest = answer.headers.get("Rqdash-Digest");
    say(asked);
  }

  async function turn() {
    timer = null;
    const asks = isBusy() ? Promise.resolve() : ask();
    wait = await asks.then(() => EVERY_MS, () => (say(null), Math.min(wait * 2, LONGEST_MS)));
    if (!signal.aborted) later(wait * (0.9 + Math.random() * 0.2));
  }

  pause?.removeAttribute("hidden");
  pause?.addEventListener("click", () => pause.setAttribute("aria-pressed", String((paused = !paused))), { signal });
  document.addEventListener("visibilitychange", () => document.hidden || timer === null || later(100), { signal });
  signal.addEventListener("abort", () => clearTimeout(timer));
  later(EVERY_MS);
}
