// Asks the gateway for what a component shows, and says where it could not be read again.

import { html } from "./html.js";
import { useEffect, useRef, useState } from "./libraries/hooks.js";
import { client } from "./session.js";
import { Failure } from "./ui.js";

const AGAIN_MS = 1500;
const LATER_MS = 1000;

/** How long to wait for the answer to a change of the configuration, in milliseconds: it may restart many accounts. */
export const SAVE = { timeout: 90_000 };

/**
 * Make a request when a component is shown, and again after each new session, and where the gateway
 * says that it may be answered later: it has just begun, say.
 * Returns `{data, error, again}`. `params` of `null` asks nothing.
 */
export function useRequest(method, params = {}) {
  const [state, setState] = useState({ data: null, error: null });
  const text = JSON.stringify(params);
  const ask = useRef(() => {});
  useEffect(() => {
    let shown = true;
    let timer = 0;
    let asked = 0; // how often
    let answered = 0; // the newest that was: what overtakes an older answer is not replaced by it
    let open = 0; // requests under way: a new session has them already
    ask.current = async () => {
      if (params === null) return;
      clearTimeout(timer);
      const mine = ++asked;
      open += 1;
      const [data, error] = await client.request(method, params).then((found) => [found, null], (failed) => [null, failed]);
      open -= 1;
      if (!shown || mine < answered) return;
      answered = mine;
      setState((before) => ({ data: error ? before.data : data, error }));
      if (error?.retryable) timer = setTimeout(ask.current, Math.max(AGAIN_MS, error.retryAfterMs));
    };
    setState({ data: null, error: null });
    ask.current();
    const end = client.on("client.opened", () => open || ask.current());
    return () => {
      shown = false;
      clearTimeout(timer);
      end();
    };
  }, [method, text]);
  return { ...state, again: () => ask.current() };
}

/** Ask anew after each change of the configuration: twice, as what is new in it is reported a little later. */
export function useConfigChanges(again) {
  useEffect(() => {
    const look = () => {
      again();
      setTimeout(again, LATER_MS);
    };
    return client.on("config.changed", look);
  }, []);
}

/** What is shown above what was read before, where requests (`useRequest`) have failed since; asks those again. */
export function Failed({ of }) {
  const failed = of.filter((each) => each.error);
  return failed.length > 0 && html`<${Failure} error=${failed[0].error} onRetry=${() => failed.forEach((each) => each.again())} />`;
}
