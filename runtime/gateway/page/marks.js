// Reads the few marks of Markdown that the chat shows: code, bold text, addresses. Pure.

const FENCE = /^```([\w+-]*)[ \t]*$/;
const INLINE = /`([^`\n]+)`|\*\*([^*\n]+)\*\*|(https?:\/\/[^\s<>"')\]]+[^\s<>"')\].,;:!?])/g;

/** Return the blocks of a text: `{code, language}` or `{pieces}`, as `piecesOf` returns them. */
export function blocksOf(text) {
  const blocks = [];
  let lines = [];
  let code = null;
  const end = () => {
    const plain = trimmed(lines.join("\n"));
    if (code) blocks.push({ code: lines.join("\n"), language: code.language });
    else if (plain) blocks.push({ pieces: piecesOf(plain) });
    lines = [];
  };
  for (const line of text.split("\n")) {
    const fence = FENCE.exec(line);
    if (fence && (!code || !fence[1])) {
      end();
      code = code ? null : { language: fence[1] };
    } else lines.push(line);
  }
  end();
  return blocks;
}

/** Return a text without the line breaks around it. A pattern would try each of many in its midst. */
function trimmed(text) {
  let [from, to] = [0, text.length];
  while (text[from] === "\n") from += 1;
  while (to > from && text[to - 1] === "\n") to -= 1;
  return text.slice(from, to);
}

/** Return the pieces of a line: strings, `{code}`, `{bold}` and `{address}`. */
export function piecesOf(text) {
  const pieces = [];
  let at = 0;
  for (const found of text.matchAll(INLINE)) {
    if (found.index > at) pieces.push(text.slice(at, found.index));
    const [whole, code, bold, address] = found;
    pieces.push(code !== undefined ? { code } : bold !== undefined ? { bold } : { address });
    at = found.index + whole.length;
  }
  if (at < text.length) pieces.push(text.slice(at));
  return pieces;
}
