// Computes how far the axes of a plot reach. Pure: the caller has the clock.

/**
 * Return the two ends of an axis of time, in seconds: the last `span` up to the newest of `times`.
 * A library that is left to it makes years of a single time.
 */
export function timeRange(times, span, now) {
  const end = times.at(-1) ?? now / 1000;
  return [end - span, end];
}

const ROUND = [1, 2, 4, 5, 6, 8, 10];

/** Return the end of an axis that begins at zero: round, as is its half, and above `most`. */
export function roundAbove(most) {
  if (!(most > 0)) return 1;
  const size = 10 ** Math.floor(Math.log10(most));
  return (ROUND.find((each) => each * size >= most * 1.02) ?? 20) * size;
}
