// Begins the session while the rest of the page is still on its way: a script of its own, before main.js.

import "./arrival.js"; // first: it takes the one-time token out of the address
import { begin } from "./session.js";

begin();
