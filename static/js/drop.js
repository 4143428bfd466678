// <form data-behaviour="drop"> with a file input: files dropped anywhere on the form are chosen in it.

export function start(form, signal) {
  const input = form.querySelector("input[type=file]");
  if (!input) return;
  const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
  form.addEventListener("dragover", (event) => hasFiles(event) && event.preventDefault(), { signal });
  form.addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    input.files = event.dataTransfer.files;
    input.focus();
  }, { signal });
}
