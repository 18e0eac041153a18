"use strict";
// Four charts over time. Each says in words what it shows, for those who cannot see it.
const charts = (() => {
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  const drawn = new Map();

  // -- words ------------------------------------------------------------------------------------

  const trim = (value) => String(Number(value.toPrecision(3)));
  const count = (value) => Number(value.toFixed(value < 10 ? 1 : 0)).toLocaleString("en");
  const rate = (value) => (value >= 1e4 ? trim(value / 1e3) + "k" : trim(value));
  const percent = (share) => Math.floor(share * 1e4 + 1e-9) / 100 + " %";
  function seconds(value) {
    if (value >= 60) return trim(value / 60) + " min";
    return value >= 1 ? trim(value) + " s" : trim(value * 1e3) + " ms";
  }
  function clock(wall, step = 1) {
    const at = new Date(wall * 1e3), two = (number) => String(number).padStart(2, "0");
    return `${two(at.getHours())}:${two(at.getMinutes())}` + (step < 60 ? ":" + two(at.getSeconds()) : "");
  }
  const say = (value, words, unit = "") => (value === null || value === undefined ? "–" : words(value) + unit);

  // -- drawing ----------------------------------------------------------------------------------

  function draw(id, series, data, { height = 210, words = rate, log = false, label }) {
    const plot = document.querySelector(`#${id} .plot`);
    plot.setAttribute("aria-label", label);
    const shape = JSON.stringify([series.map((each) => each.label), plot.clientWidth, document.documentElement.dataset.theme]);
    const before = drawn.get(id);
    if (before && before.shape === shape) {
      before.chart.setData(data);
      return;
    }
    if (before) before.chart.destroy();
    const grid = { stroke: color("grid"), width: 1 };
    const axis = { stroke: color("faint"), grid, ticks: grid, font: "12px system-ui, sans-serif" };
    const value = (u, v) => say(v, words);
    const chart = new uPlot({
      width: plot.clientWidth,
      height,
      cursor: { sync: { key: "live" }, drag: { x: true, y: false } },
      scales: {
        y: log ? { distr: 3, range: (u, low, high) => [(low ?? 0.1) / 1.4, (high ?? 1) * 1.4] }
          : { range: (u, low, high) => [0, high > 0 ? high * 1.08 : 1] },
      },
      axes: [{ ...axis, space: 80, values: (u, ticks, i, space, step) => ticks.map((tick) => clock(tick, step)) }, { ...axis, size: 56, values: (u, ticks) => ticks.map((v) => (v === null ? "" : words(v))) }],
      series: [{ value: (u, v) => say(v, clock) }, ...series.map((each) => ({ width: 1.5, value, points: { show: false }, ...each }))],
      bands: series.flatMap((each, i) => (each.below === undefined ? [] : [{ series: [i + 1, each.below], fill: each.shade }])),
    }, data, plot);
    drawn.set(id, { chart, shape });
  }

  // The past and the forecast on one time axis.
  function joined(past, ahead) {
    const nothing = (column) => column.map(() => null);
    return {
      time: [...past.time_s, ...ahead.time_s],
      rate: [...past.rate_rps, ...nothing(ahead.time_s)],
      mean: [...nothing(past.time_s), ...ahead.mean_rps],
      low: [...nothing(past.time_s), ...ahead.low_rps],
      high: [...nothing(past.time_s), ...ahead.high_rps],
    };
  }

  function last(column) {
    for (let i = column.length - 1; i >= 0; i--) if (column[i] !== null) return column[i];
    return null;
  }
  const highest = (column) => column.reduce((most, value) => (value !== null && (most === null || value > most) ? value : most), null);

  function all(past, ahead, slo) {
    const shade = color("expected") + "33";
    const { time, rate: rates, mean, low, high } = joined(past, ahead);
    draw("traffic", [
      { label: "requests/s", stroke: color("rate") },
      { label: "expected", stroke: color("expected"), dash: [5, 4] },
      { label: "9 in 10 below", stroke: shade, width: 1, below: 4, shade },
      { label: "1 in 10 below", stroke: shade, width: 1 },
    ], [time, rates, mean, high, low], {
      label: `Traffic: now ${say(last(past.rate_rps), rate)} requests per second, at most ${say(highest(past.rate_rps), rate)};` +
        ` expected next ${say(ahead.mean_rps[0], rate)}`,
    });
    const stacked = (name, below) => past[name].map((value, i) => (value === null ? null : value + (below ? below[i] ?? 0 : 0)));
    const ready = past.ready;
    const starting = stacked("starting", ready), waiting = stacked("provisioning", starting), draining = stacked("draining", waiting);
    const fill = (name) => ({ stroke: color(name), fill: color(name) + "55" });
    draw("fleet", [
      { label: "+ draining", ...fill("draining") },
      { label: "+ on their way", stroke: color("starting"), dash: [3, 3] },
      { label: "+ starting", ...fill("starting") },
      { label: "ready", ...fill("ready") },
      { label: "asked for", stroke: color("target"), width: 2, paths: uPlot.paths.stepped({ align: 1 }) },
    ], [past.time_s, draining, waiting, starting, ready, past.target], {
      words: count,
      label: `Replicas: ${say(last(ready), count)} ready, ${say(last(past.target), count)} asked for`,
    });
    draw("latency", [
      { label: "p50", stroke: color("p50") },
      { label: "p95", stroke: color("p95") },
      { label: "p99", stroke: color("p99") },
      { label: "SLO", stroke: color("slo"), dash: [6, 4] },
    ], [past.time_s, past.p50_s, past.p95_s, past.p99_s, past.time_s.map(() => slo.latency_s)], {
      words: seconds, log: true,
      label: `Latency: p50 ${say(last(past.p50_s), seconds)}, p99 ${say(last(past.p99_s), seconds)}; SLO ${slo.text}`,
    });
    draw("queue", [{ label: "waiting", stroke: color("p99"), fill: color("p99") + "33" }], [past.time_s, past.queued], {
      words: count, label: `Waiting requests: now ${say(last(past.queued), count)}, at most ${say(highest(past.queued), count)}`,
    });
  }

  return { all, say, clock, rate, count, percent, seconds };
})();
