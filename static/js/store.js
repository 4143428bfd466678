// What this browser remembers. Storage can be forbidden or full: then nothing is remembered and nothing breaks.

export function recall(name) {
  try {
    return localStorage.getItem(`rqdash-${name}`);
  } catch {
    return null;
  }
}

/** Keeps a value, or forgets it when it is null. */
export function keep(name, value) {
  try {
    if (value === null) localStorage.removeItem(`rqdash-${name}`);
    else localStorage.setItem(`rqdash-${name}`, value);
  } catch {
    // Only this page knows then.
  }
}
