// Gives the rows in sight the elements that draw them, so that few are made anew. Pure.

/** The elements of a table's rows, by number. Each row keeps its own while it is in sight. */
export class Slots {
  constructor() {
    this.byKey = new Map();
    this.made = 0;
  }

  /**
   * Return the number of each key's element. A row that has come gets the one of a row that has
   * gone, unless that is `held`: a person has it under the finger, or the keyboard in it.
   */
  place(keys, held) {
    const wanted = new Set(keys);
    const free = [...this.byKey].filter(([key, slot]) => !wanted.has(key) && !held.has(slot)).map(([, slot]) => slot);
    this.byKey = new Map(keys.map((key) => [key, this.byKey.get(key) ?? free.shift() ?? this.made++]));
    return [...this.byKey.values()];
  }
}
