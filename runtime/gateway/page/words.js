// Formats times, sizes and numbers in few words. Pure: the caller has the clock.

const UNITS = [
  [86_400, "d"],
  [3_600, "h"],
  [60, "min"],
  [1, "s"],
];

/** Return a length of time in at most two units, or in one: `5 min`, `3 d 4 h`, `12 s`. */
export function span(milliseconds, units = 2) {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const at = UNITS.findIndex(([size]) => seconds >= size);
  if (at < 0) return "0 s";
  const [size, name] = UNITS[at];
  const whole = Math.floor(seconds / size);
  const next = UNITS[at + 1];
  const rest = next && at < 2 && units > 1 ? Math.floor((seconds % size) / next[0]) : 0;
  return `${whole} ${name}${rest ? ` ${rest} ${next[1]}` : ""}`;
}

/** Return how long ago something was: `5 min ago`, `now`. */
export function ago(at, now) {
  if (!at) return "never";
  return now - at < 1000 ? "now" : `${span(now - at)} ago`;
}

/** Return the time until something in words that count down: `in 12 s`, `in 3 min 05 s`, `now`. */
export function countdown(at, now) {
  const seconds = Math.ceil((at - now) / 1000);
  if (seconds <= 0) return "now";
  if (seconds < 60) return `in ${seconds} s`;
  if (seconds < 3600) return `in ${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, "0")} s`;
  return `in ${Math.floor(seconds / 3600)} h ${String(Math.floor((seconds % 3600) / 60)).padStart(2, "0")} min`;
}

/** Return a size with a unit: `38.2 MiB`. */
export function bytes(number) {
  if (number === null || number === undefined) return "–";
  if (number < 1024) return `${number} B`;
  const units = ["KiB", "MiB", "GiB", "TiB"];
  let value = number / 1024;
  let at = 0;
  while (value >= 1024 && at < units.length - 1) {
    value /= 1024;
    at += 1;
  }
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[at]}`;
}

/** Return a share of a core: `0.4 %`. */
export function percent(number) {
  if (number === null || number === undefined) return "–";
  return `${number < 10 ? number.toFixed(1) : Math.round(number)} %`;
}

/** Return a number in few characters: `999`, `1.2k`, `34k`, `5.6M`. */
export function short(number) {
  if (number < 1000) return Number.isInteger(number) ? String(number) : number.toFixed(1);
  const [value, unit] = number < 1e6 ? [number / 1e3, "k"] : [number / 1e6, "M"];
  return `${value < 10 ? value.toFixed(1) : Math.round(value)}${unit}`;
}

/** Return a number with a comma before each third digit: `12,345`. */
export function grouped(number) {
  return String(number).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** Return `1 account`, `2 accounts`. */
export function count(number, word, plural = `${word}s`) {
  return `${grouped(number)} ${number === 1 ? word : plural}`;
}

/** Return a sentence with a capital at its beginning. */
export function capital(text) {
  return text ? text[0].toUpperCase() + text.slice(1) : "";
}

/** Return a time of day, `14:03:22`; of another day than today's with its date, `11-28 14:03`. */
export function clock(at, now) {
  if (dayOf(at) === dayOf(now)) return hourOf(at);
  const day = dayOf(at);
  return `${day.slice(0, 4) === dayOf(now).slice(0, 4) ? day.slice(5) : day} ${hourOf(at).slice(0, 5)}`;
}

/**
 * Return what stands at the places of an axis, given in seconds: `14:03`, with seconds where they
 * are less than a minute apart, and the date below the first one of each day.
 */
export function ticksOf(times) {
  const length = times[1] - times[0] < 60 ? 8 : 5;
  return times.map((each, at) => {
    const day = dayOf(each * 1000);
    const text = hourOf(each * 1000).slice(0, length);
    return at === 0 || day !== dayOf(times[at - 1] * 1000) ? `${text}\n${day}` : text;
  });
}

// Put together by hand: a busy stream says hundreds of times a second, and Intl takes a thousandth of one for ten.

/** Return a day as ISO 8601 writes it, in the zone of whoever looks: `2026-11-28`. */
function dayOf(at) {
  const date = new Date(at);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

function hourOf(at) {
  const date = new Date(at);
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":");
}

function two(number) {
  return String(number).padStart(2, "0");
}

/** Return a time in full, with its zone, as tooltips show it. */
export function exactly(at) {
  const behind = new Date(at).getTimezoneOffset(); // minutes; rounded where a zone of old had seconds
  const away = Math.abs(Math.round(behind));
  const offset = away ? `${behind > 0 ? "-" : "+"}${two(Math.floor(away / 60))}:${two(away % 60)}` : "";
  return `${dayOf(at)} ${hourOf(at)} GMT${offset}`;
}
