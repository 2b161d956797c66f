// Counts messages by steps of time, for a short past and a pace. Pure: the caller has the clock.

export const STEPS = 30;

/** The messages of one account: `in` and `out` in each of the last steps of `step` milliseconds. */
export class Flow {
  constructor(step) {
    this.step = step;
    this.at = 0; // the number of the newest step
    this.in = new Array(STEPS).fill(0);
    this.out = new Array(STEPS).fill(0);
  }

  /** Add what came at a time; what is older than the past that is kept is left out. */
  add(time, incoming, outgoing) {
    const place = this.place(time);
    if (place < 0) return;
    this.in[place] += incoming;
    this.out[place] += outgoing;
  }

  /** Return in and out together, of each step up to `now`, the oldest first. */
  past(now) {
    this.move(now);
    return this.in.map((number, place) => number + this.out[place]);
  }

  /** Return how many came in and went out within the last minute or so: `{in, out}` per minute. */
  pace(now) {
    this.move(now);
    const left = 1 - (now % this.step) / this.step; // of the step before, as if it had been even
    const minutes = this.step / 60_000;
    const of = (steps) => (steps[STEPS - 1] + left * steps[STEPS - 2]) / minutes;
    return { in: of(this.in), out: of(this.out) };
  }

  place(time) {
    this.move(time);
    return STEPS - 1 - (this.at - Math.floor(time / this.step));
  }

  move(time) {
    const steps = Math.floor(time / this.step) - this.at;
    if (steps <= 0) return;
    this.at += steps;
    for (const numbers of [this.in, this.out]) {
      numbers.splice(0, steps);
      while (numbers.length < STEPS) numbers.push(0);
    }
  }
}
