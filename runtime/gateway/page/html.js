// Binds htm to Preact: `html` is the template tag of every component.

import { h } from "./libraries/preact.js";
import htm from "./libraries/htm.js";

export const html = htm.bind(h);
