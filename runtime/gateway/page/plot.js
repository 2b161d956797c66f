// Draws plots over time with uPlot, which is loaded with the first of them.

import { html } from "./html.js";
import { useEffect, useRef, useState } from "./libraries/hooks.js";
import { theme } from "./preferences.js";
import { roundAbove, timeRange } from "./scales.js";
import { loadStyle, useMedia } from "./ui.js";
import { exactly, ticksOf } from "./words.js";

const LEGEND = 26; // pixels below a plot: nothing moves when the library is there
let plotting = null; // the library

/**
 * A plot over the last `span` seconds. `data` is uPlot's: `[times in s, values, …]`; `series` are
 * `{label, tone}`; `value` says a value with its unit, as the axis and the line below the plot show
 * it: those of the newest time, unless one points at another.
 */
export function Plot(props) {
  const dark = useMedia("(prefers-color-scheme: dark)");
  return html`<${Drawn} key=${`${theme.value} ${dark}`} ...${props} />`; // its colours are read once
}

function Drawn({ label, data, series, span, value = String, height = 136 }) {
  const place = useRef(null);
  const drawn = useRef(null);
  const newest = useRef(data);
  const [failed, setFailed] = useState(false);
  newest.current = data;
  useEffect(() => {
    let shown = true;
    loadPlotting()
      .then((Library) => {
        if (!shown || !place.current) return;
        const width = place.current.clientWidth || 300;
        drawn.current = new Library(optionsOf(() => newest.current[0], series, value, span, width, height), newest.current, place.current);
        showNewest(drawn.current);
      })
      .catch(() => shown && setFailed(true));
    const watch = new ResizeObserver(() => {
      if (place.current) drawn.current?.setSize({ width: place.current.clientWidth, height });
    });
    if (place.current) watch.observe(place.current);
    return () => {
      shown = false;
      watch.disconnect();
      drawn.current?.destroy();
      drawn.current = null;
    };
  }, []);
  useEffect(() => {
    drawn.current?.setData(data);
    if (drawn.current) showNewest(drawn.current);
  }, [data]);
  return html`<figure class="plot">
    <figcaption>${label}</figcaption>
    <div ref=${place} role="img" aria-label=${[label, ...newestOf(data, series, value)].join(", ")} style=${{ minHeight: `${height + LEGEND}px` }}></div>
    ${failed && html`<p class="faint">The plot could not be loaded.</p>`}
  </figure>`;
}

/** Return the newest values with their names: what a plot says to whoever does not see it. */
function newestOf(data, series, value) {
  return series.flatMap(({ label }, at) => {
    const newest = data[at + 1].findLast((each) => each !== null && each !== undefined);
    return newest === undefined ? [] : [`${label} ${value(newest)}`];
  });
}

function showNewest(plot) {
  if (plot.cursor.left < 0 || plot.cursor.left === undefined) plot.setLegend({ idx: plot.data[0].length - 1 });
}

function optionsOf(times, series, value, span, width, height) {
  const style = getComputedStyle(document.documentElement);
  const color = (name) => style.getPropertyValue(`--${name}`).trim();
  const axis = { stroke: color("muted"), grid: { stroke: color("line"), width: 1 }, ticks: { show: false } };
  const words = (_, each) => (each === null || each === undefined ? "–" : value(each));
  return {
    width,
    height,
    cursor: { y: false, drag: { x: false, y: false } }, // what is selected would be lost with the next figures
    legend: { live: true },
    padding: [10, 30, 0, 0], // the last time on the axis is written beyond the plot
    hooks: { setCursor: [showNewest] },
    // From zero: a part of the axis makes a mountain of every ripple.
    scales: { x: { range: () => timeRange(times(), span, Date.now()) }, y: { range: (_, low, high) => [0, roundAbove(high)] } },
    axes: [
      { ...axis, space: 62, size: 38, gap: 6, values: (_, times) => ticksOf(times) },
      { ...axis, size: 74, splits: (_, at, low, high) => [low, (low + high) / 2, high], values: (_, values) => values.map((each) => value(each)) },
    ],
    series: [
      { label: "time", value: (_, at) => (at ? exactly(at * 1000) : "–") },
      ...series.map(({ label, tone }) => ({ label, stroke: color(tone), width: 1.5, points: { show: false }, value: words })),
    ],
  };
}

function loadPlotting() {
  plotting ??= (async () => {
    await loadStyle("libraries/uplot.css");
    return (await import("./libraries/uplot.js")).default;
  })();
  return plotting;
}
