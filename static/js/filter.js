// <input list data-behaviour="filter">: completes the condition at the end of the text, not only the first one.
// Without it the browser offers the words of the <datalist> for the whole text.

/** Where the last condition begins: after the last space that is not inside quotes. */
function lastCondition(text) {
  let start = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at += 1) {
    if (quoted && text[at] === "\\") at += 1;
    else if (text[at] === '"') quoted = !quoted;
    else if (!quoted && /\s/.test(text[at])) start = at + 1;
  }
  return start;
}

export function start(input, signal) {
  const list = input.list;
  if (!list) return;
  const words = [...list.options].map((option) => option.value);
  let before = "";

  function offer() {
    const text = input.value;
    const head = text.slice(0, lastCondition(text)) + (text.at(lastCondition(text)) === "-" ? "-" : "");
    if (head === before) return;
    before = head;
    list.replaceChildren(...words.map((word) => new Option("", head + word)));
  }

  input.addEventListener("input", offer, { signal });
  input.addEventListener("focus", offer, { signal });
}
