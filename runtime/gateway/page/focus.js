// Keeps the keyboard at a place in the page: what had it may go, or be disabled while it is busy.
//
// A browser leaves the keyboard to the whole document then, and a reader of the screen begins at
// the top again. It goes to the page's content instead, and back to a button that can be used again.

const FOCUSABLE = "a[href], button, input, select, textarea, summary, [tabindex]";

let last = null; // what had the keyboard, by a person or by the page
let fell = false; // whether the content has it in place of that
let waits = false; // whether the content has it until the page's heading is drawn
let keys = false; // whether a person uses the keyboard: who does not gets no frame around a page that comes

/** Begin to watch. */
export function keepFocus(root) {
  addEventListener("keydown", () => (keys = true), true);
  addEventListener("pointerdown", ({ target }) => {
    keys = false;
    take(target.closest?.(FOCUSABLE) ?? null);
  }, true);
  addEventListener("focusin", ({ target }) => target.id !== "content" && take(target));
  new MutationObserver(look).observe(root, { subtree: true, childList: true, attributeFilter: ["disabled"] });
}

/** Go to the heading of a page that has just come, unless the page has chosen a place itself. */
export function focusPage() {
  const content = document.getElementById("content");
  if (!content || document.querySelector("dialog[open]")) return;
  const at = document.activeElement;
  if (at !== content && content.contains(at)) return;
  const heading = content.querySelector("h1");
  if (heading) heading.tabIndex = -1;
  waits = !heading;
  place(heading ?? content);
}

function place(element) {
  element.classList.toggle("placed", !keys);
  element.focus({ preventScroll: true });
}

function take(element) {
  last = element;
  fell = false;
  waits = false;
}

function look() {
  if (waits && document.activeElement?.id === "content" && document.querySelector("#content h1")) focusPage();
  if (!last) return;
  const at = document.activeElement;
  const content = document.getElementById("content");
  const usable = last.isConnected && !last.disabled;
  if (usable && fell && (at === content || at === document.body)) last.focus({ preventScroll: true });
  else if (!usable && content && (at === document.body || at === last)) {
    place(content);
    fell = true;
  }
}
