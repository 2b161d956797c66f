// Compares two texts line by line, by the algorithm of Myers. Pure.

const CONTEXT = 3; // lines that are the same, around those that are not
const MOST_STEPS = 2000; // differences after which everything counts as another text

/**
 * Return the parts in which two texts differ: lists of `[mark, line, number]`, with the marks `+`,
 * `-` and a space. The number is that in the new text, of a line that was taken out in the old one.
 */
export function hunksOf(before, after) {
  const lines = compare(linesIn(before), linesIn(after));
  const near = lines.map(() => false);
  lines.forEach(([mark], at) => {
    if (mark === " ") return;
    for (let each = Math.max(0, at - CONTEXT); each <= Math.min(lines.length - 1, at + CONTEXT); each += 1) near[each] = true;
  });
  const hunks = [];
  lines.forEach((line, at) => {
    if (!near[at]) return;
    if (!near[at - 1]) hunks.push([]);
    hunks.at(-1).push(line);
  });
  return hunks;
}

/** Return the lines of a text: an empty one has none. */
function linesIn(text) {
  return text ? text.split("\n") : [];
}

function compare(old, fresh) {
  let start = 0;
  while (start < old.length && start < fresh.length && old[start] === fresh[start]) start += 1;
  let end = 0;
  while (end < old.length - start && end < fresh.length - start && old.at(-1 - end) === fresh.at(-1 - end)) end += 1;
  const middle = steps(old.slice(start, old.length - end), fresh.slice(start, fresh.length - end));
  const lines = fresh.slice(0, start).map((line) => [" ", line]).concat(middle, fresh.slice(fresh.length - end).map((line) => [" ", line]));
  let [at, was] = [0, 0];
  return lines.map(([mark, line]) => {
    if (mark !== "+") was += 1;
    if (mark !== "-") at += 1;
    return [mark, line, mark === "-" ? was : at];
  });
}

/** Return the shortest way from one list of lines to another one. */
function steps(old, fresh) {
  const most = Math.min(old.length + fresh.length, MOST_STEPS);
  const reach = new Map([[1, 0]]);
  const trail = [];
  for (let depth = 0; depth <= most; depth += 1) {
    trail.push(new Map(reach));
    for (let k = -depth; k <= depth; k += 2) {
      const down = k === -depth || (k !== depth && (reach.get(k - 1) ?? -1) < (reach.get(k + 1) ?? -1));
      let x = down ? reach.get(k + 1) : reach.get(k - 1) + 1;
      let y = x - k;
      while (x < old.length && y < fresh.length && old[x] === fresh[y]) [x, y] = [x + 1, y + 1];
      reach.set(k, x);
      if (x >= old.length && y >= fresh.length) return back(trail, old, fresh);
    }
  }
  return [...old.map((line) => ["-", line]), ...fresh.map((line) => ["+", line])];
}

function back(trail, old, fresh) {
  const lines = [];
  let [x, y] = [old.length, fresh.length];
  for (let depth = trail.length - 1; depth >= 0; depth -= 1) {
    const reach = trail[depth];
    const k = x - y;
    const down = k === -depth || (k !== depth && (reach.get(k - 1) ?? -1) < (reach.get(k + 1) ?? -1));
    const [fromX, fromK] = down ? [reach.get(k + 1), k + 1] : [reach.get(k - 1), k - 1];
    const fromY = fromX - fromK;
    while (x > fromX && y > fromY && x > 0 && y > 0) {
      lines.push([" ", old[x - 1]]);
      [x, y] = [x - 1, y - 1];
    }
    if (depth > 0) lines.push(down ? ["+", fresh[fromY]] : ["-", old[fromX]]);
    [x, y] = [fromX, fromY];
  }
  return lines.reverse();
}
