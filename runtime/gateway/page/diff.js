// Compares two texts line by line, and changed lines word by word, by the algorithm of Myers. Pure.

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

const LONG = 160; // characters of a line in which nobody finds what has changed
const MOST_WORDS = 600; // of a line that is compared by words
const ALIKE = 0.4; // the part of a line that is the same, from which on the rest is marked

/** Return whether texts have lines that are better shown field by field. */
export function isLong(...texts) {
  return texts.some((text) => text.split("\n").some((line) => line.length > LONG));
}

/** Return a text of JSON5 with each field and each value on a line of its own. Only blanks change. */
export function spread(text) {
  const lines = []; // to look at the whole for each piece would take the square of its length
  let depth = 0;
  let now = ""; // the line that is being written
  let last = ""; // what stands last in it
  let before = ""; // the last piece that is no blank
  const line = () => {
    if (now.trim()) lines.push(now.trimEnd());
    now = "  ".repeat(Math.max(0, depth));
    last = "";
  };
  for (const [piece] of text.matchAll(PIECES)) {
    if (piece === "{" || piece === "[") depth += 1;
    if (piece === "}" || piece === "]") {
      depth -= 1;
      if (before === "{" || before === "[") now = lines.pop(); // an empty one stays on its line
      else line();
    }
    const blank = !piece.trim();
    if (!blank) {
      now += piece;
      last = before = piece;
    }
    if (/^[{[,]$/.test(piece) || piece.startsWith("//") || (blank && piece.includes("\n"))) line();
    else if (blank && /\S$/.test(last)) now += last = " ";
  }
  line();
  return lines.join("\n").trim();
}
// Texts in quotes, comments, blanks, brackets and commas, and what stands between them.
const PIECES = /"(?:[^"\\\n]|\\[^])*"?|'(?:[^'\\\n]|\\[^])*'?|\/\/[^\n]*|\/\*[^]*?(?:\*\/|$)|\s+|[{}[\],]|[^\s{}[\],"'/]+|\//g;

/**
 * Return the pieces of a line that was taken out, and of the one that came in its place: lists of
 * `[text, changed]`. Lines that have little in common are one piece each.
 */
export function piecesOf(before, after) {
  const whole = [[[before, false]], [[after, false]]];
  const [old, fresh] = [before, after].map((text) => text.match(/\w+|\s+|[^\w\s]/g) ?? []);
  if (old.length + fresh.length > MOST_WORDS) return whole;
  const words = compare(old, fresh);
  const same = words.reduce((sum, [mark, word]) => sum + (mark === " " ? word.length : 0), 0);
  if (same < ALIKE * Math.max(before.length, after.length)) return whole;
  return ["-", "+"].map((side) => joined(words.filter(([mark]) => mark === " " || mark === side)));
}

function joined(words) {
  const pieces = [];
  for (const [mark, word] of words) {
    const changed = mark !== " ";
    if (pieces.at(-1)?.[1] === changed) pieces.at(-1)[0] += word;
    else pieces.push([word, changed]);
  }
  return pieces;
}

/** Return lines with their pieces: each that was taken out is compared with the one in its place. */
export function inPieces(lines) {
  const found = lines.map(([mark, text, number]) => [mark, [[text, false]], number]);
  let at = 0;
  while (at < lines.length) {
    const out = runOf(lines, at, "-");
    const into = runOf(lines, at + out, "+");
    for (let each = 0; each < Math.min(out, into); each += 1) {
      const [a, b] = [at + each, at + out + each];
      [found[a][1], found[b][1]] = piecesOf(lines[a][1], lines[b][1]);
    }
    at += out + into || 1;
  }
  return found;
}

function runOf(lines, from, mark) {
  let at = from;
  while (lines[at]?.[0] === mark) at += 1;
  return at - from;
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
