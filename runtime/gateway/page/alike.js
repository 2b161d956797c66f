// Finds which keys are meant where one was mistyped. Pure.

const FEW = 3;

/** Return the keys that are most like `text`, the nearest first: at most a few, or none. */
export function alike(text, keys) {
  const wanted = text.toLowerCase();
  const name = wanted.slice(wanted.indexOf(":") + 1);
  const far = (key) => {
    const known = key.toLowerCase();
    const steps = distance(wanted, known);
    const part = name.length > 2 && known.includes(name);
    return steps <= Math.max(1, Math.floor(name.length / 3)) ? steps : part ? 100 + steps : null;
  };
  return keys
    .map((key) => [far(key), key])
    .filter(([steps]) => steps !== null)
    .sort(([a, one], [b, other]) => a - b || (one < other ? -1 : 1))
    .slice(0, FEW)
    .map(([, key]) => key);
}

/** Return by how many changed, added or missing characters two texts differ. */
function distance(a, b) {
  let line = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(line[j] + 1, next[j - 1] + 1, line[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    line = next;
  }
  return line[b.length];
}
