"use strict";
// Draws what the tables already say. The data is gzipped JSON in base64, so that weeks of several policies
// stay below two megabytes; nothing is ever fetched.
(async () => {
  const ELAPSED = [1, 5, 15, 30, 60, 300, 900, 1800, 3600, 7200, 14400, 28800, 43200, 86400, 172800, 345600, 604800, 1209600];
  const root = document.documentElement;
  const data = await unpack(document.getElementById("data").textContent);
  const color = (name) => getComputedStyle(root).getPropertyValue("--" + name).trim();
  const sections = [...document.querySelectorAll(".trace")].map((element, i) => section(element, data.traces[i]));

  const prefersDark = matchMedia("(prefers-color-scheme: dark)");
  const setTheme = (dark) => {
    root.dataset.theme = dark ? "dark" : "light";
    sections.forEach((each) => each.draw());
  };
  prefersDark.addEventListener("change", (event) => setTheme(event.matches));
  document.getElementById("theme").addEventListener("click", () => setTheme(root.dataset.theme !== "dark"));
  setTheme(prefersDark.matches);
  let width = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth !== width) { width = innerWidth; sections.forEach((each) => each.draw()); }
  });
  root.dataset.ready = "true";

  async function unpack(base64) {
    const bytes = Uint8Array.from(atob(base64.trim()), (char) => char.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(stream).text());
  }

  // -- one trace --------------------------------------------------------------------------------

  function section(element, trace) {
    const plot = (name) => element.querySelector("." + name + " .plot");
    // What could be run comes first, not a yardstick.
    const shown = trace.policies.map((_, i) => i).filter((i) => trace.policies[i].series);
    let chosen = shown.find((i) => !trace.policies[i].hindsight) ?? shown[0] ?? 0;
    let charts = [];
    const buttons = trace.policies.map((policy, i) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = policy.label;
      button.style.setProperty("--dot", hue(trace, policy));
      button.disabled = !policy.series;
      button.addEventListener("click", () => choose(i));
      element.querySelector(".policies").append(button);
      return button;
    });
    const choose = (i) => { chosen = i; draw(); };

    function draw() {
      buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(i === chosen)));
      charts.forEach((chart) => chart.destroy());
      charts = [];
      scatter(plot("scatter"), trace, choose);
      const policy = trace.policies[chosen];
      if (!policy || !policy.series) return;
      const sync = "trace" + element.dataset.trace;
      charts = [
        replicasChart(plot("replicas"), trace, policy, sync),
        latencyChart(plot("latency"), trace, policy, sync),
        lineChart(plot("attainment"), trace, policy, sync, policy.series.attainment, "within SLO", color("ready"), percent,
          { range: (u, low) => [Math.min(low ?? 1, 0.9), 1], line: trace.slo.percentile }),
        lineChart(plot("queue"), trace, policy, sync, policy.series.queued, "waiting", color("p99"), count, {}),
      ];
      const foresight = element.querySelector(".foresight");
      foresight.hidden = !policy.regret;
      if (policy.regret) charts.push(regretChart(plot("foresight"), trace, policy.regret, sync));
      episodes(element.querySelector(".episodes"), trace, policy);
      actionsTable(element.querySelector(".actions"), trace, policy);
    }
    return { draw };
  }

  // Policies that decide at another pace have times of their own.
  function axisOf(trace, policy) {
    return trace.axes[policy.series.axis];
  }

  // -- charts over time -------------------------------------------------------------------------

  function base(plot, trace, sync, height) {
    const grid = { stroke: color("grid"), width: 1 };
    const axis = { stroke: color("faint"), grid, ticks: grid, font: "12px system-ui, sans-serif" };
    return {
      width: plot.clientWidth,
      height,
      legend: { live: true },
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1e3), "Etc/UTC"),
      cursor: { sync: { key: sync }, drag: { x: true, y: false } },
      scales: { x: { time: trace.start !== null } },
      axis,
      // Elapsed time is marked at whole minutes, hours and days, like the time of day.
      xAxis: { ...axis, ...(trace.start === null && { incrs: ELAPSED }), values: (u, ticks, axisIndex, space, step) => timeLabels(trace, ticks, step) },
      xSeries: { value: (u, value) => (value === null ? "–" : stamp(trace, value)) },
    };
  }

  function replicasChart(plot, trace, policy, sync) {
    const { axis, xAxis, xSeries, ...options } = base(plot, trace, sync, 300);
    const series = policy.series, drawn = axisOf(trace, policy);
    const tip = tooltip(plot);
    const replicas = { scale: "replicas", value: (u, v) => (v === null ? "–" : count(v)) };
    return new uPlot({
      ...options,
      scales: { ...options.scales, rps: { range: fromZero }, replicas: { range: fromZero } },
      axes: [
        xAxis,
        { ...axis, scale: "replicas", size: 44, values: (u, ticks) => ticks.map(count) },
        { ...axis, scale: "rps", side: 1, size: 52, grid: { show: false }, values: (u, ticks) => ticks.map(rate) },
      ],
      series: [
        xSeries,
        { label: "paid for", ...replicas, stroke: color("billed"), fill: color("billed") + "55", width: 1 },
        { label: "ready", ...replicas, stroke: color("ready"), width: 1.5 },
        { label: "asked for", ...replicas, stroke: color("target"), width: 1.5, paths: uPlot.paths.stepped({ align: 1 }) },
        { label: "requests/s", scale: "rps", stroke: color("rate"), width: 1.5, dash: [4, 3], value: (u, v) => (v === null ? "–" : rate(v)) },
      ],
      hooks: {
        draw: [(u) => markActions(u, policy.actions)],
        setCursor: [(u) => showActions(u, tip, trace, policy)],
      },
    }, [drawn.time, series.billed, series.ready, series.target, drawn.rate], plot);
  }

  function latencyChart(plot, trace, policy, sync) {
    const { axis, xAxis, xSeries, ...options } = base(plot, trace, sync, 240);
    const { p50, p95, p99 } = policy.series, { time } = axisOf(trace, policy);
    const line = (label, name, dash) => ({ label, stroke: color(name), width: 1.5, dash, value: (u, v) => (v === null ? "–" : seconds(v)) });
    return new uPlot({
      ...options,
      scales: { ...options.scales, y: { distr: 3, range: (u, low, high) => [(low ?? trace.slo.latency_s) / 1.4, (high ?? trace.slo.latency_s) * 1.4] } },
      axes: [xAxis, { ...axis, size: 58, values: (u, ticks) => ticks.map((v) => (v === null ? "" : seconds(v))) }],
      series: [xSeries, line("p50", "p50"), line("p95", "p95"), line("p99", "p99"), line("SLO", "slo", [6, 4])],
    }, [time, p50, p95, p99, time.map(() => trace.slo.latency_s)], plot);
  }

  function lineChart(plot, trace, policy, sync, values, label, stroke, show, { range, line }) {
    const { axis, xAxis, xSeries, ...options } = base(plot, trace, sync, 170);
    const series = [xSeries, { label, stroke, fill: stroke + "22", width: 1.5, value: (u, v) => (v === null ? "–" : show(v)) }];
    const { time } = axisOf(trace, policy), columns = [time, values];
    if (line !== undefined) {
      series.push({ label: "SLO", stroke: color("slo"), dash: [6, 4], width: 1.5, value: () => show(line) });
      columns.push(time.map(() => line));
    }
    return new uPlot({
      ...options,
      scales: { ...options.scales, y: { range: range ?? fromZero } },
      axes: [xAxis, { ...axis, size: 58, values: (u, ticks) => ticks.map(show) }],
      series,
    }, columns, plot);
  }

  // Stacked: each area is drawn over the one below it, so the largest sum comes first.
  function regretChart(plot, trace, regret, sync) {
    const { axis, xAxis, xSeries, ...options } = base(plot, trace, sync, 200);
    const sum = (...parts) => regret.time.map((_, i) => parts.reduce((total, part) => total + regret[part][i], 0));
    const area = (name) => ({
      label: name, stroke: color(name), fill: color(name), width: 0.5, points: { show: false },
      value: (u, v, series, i) => (i === null ? "–" : count(regret[name][i])),
    });
    return new uPlot({
      ...options,
      scales: { ...options.scales, y: {} },
      axes: [xAxis, { ...axis, size: 58, values: (u, ticks) => ticks.map(count) }],
      series: [xSeries, area("early"), area("late"), area("excess"), area("short")],
    }, [regret.time, sum("excess", "late", "early"), sum("excess", "late"), regret.excess, regret.short.map((v) => -v)], plot);
  }

  function episodes(box, trace, policy) {
    const worst = policy.regret ? policy.regret.episodes : [];
    box.hidden = !worst.length;
    box.querySelector("h3").textContent = `Where ${policy.label} lost most`;
    box.querySelector("ol").replaceChildren(...worst.map((episode) => {
      const item = document.createElement("li"), when = document.createElement("b"), why = document.createElement("i");
      when.textContent = `${stamp(trace, episode.from_s)} to ${stamp(trace, episode.to_s)}: `;
      why.textContent = episode.reason && ` ${episode.reason}`;
      item.append(when, `${rate(episode.money)} above foresight; ${episode.words}.`, why);
      return item;
    }));
  }

  function fromZero(u, low, high) { return [0, high > 0 ? high * 1.08 : 1]; }

  // -- scaling actions --------------------------------------------------------------------------

  function markActions(u, actions) {
    const radius = 2.5 * devicePixelRatio;
    const { left, width } = u.bbox;
    u.ctx.save();
    u.ctx.fillStyle = color("target");
    for (const [time, , after] of actions) {
      const x = u.valToPos(time, "x", true);
      if (x < left || x > left + width) continue;
      u.ctx.beginPath();
      u.ctx.arc(x, u.valToPos(after, "replicas", true), radius, 0, 2 * Math.PI);
      u.ctx.fill();
    }
    u.ctx.restore();
  }

  function showActions(u, tip, trace, policy) {
    const { left, top } = u.cursor;
    if (left === null || left < 0) { tip.hidden = true; return; }
    const reach = 8;
    const from = u.posToVal(left - reach, "x"), to = u.posToVal(left + reach, "x");
    const near = policy.actions.filter(([time]) => time >= from && time <= to);
    if (!near.length) { tip.hidden = true; return; }
    const at = u.posToVal(left, "x");
    near.sort((a, b) => Math.abs(a[0] - at) - Math.abs(b[0] - at));
    const shown = near.slice(0, 4).sort((a, b) => a[0] - b[0]);
    tip.replaceChildren(...shown.map((action) => describeAction(trace, action)));
    if (near.length > shown.length) {
      const more = document.createElement("div");
      more.textContent = `and ${near.length - shown.length} more: zoom in by dragging`;
      tip.append(more);
    }
    tip.hidden = false;
    const plotLeft = u.over.offsetLeft + left;
    const room = u.root.clientWidth - tip.offsetWidth - 4;
    tip.style.left = Math.max(4, Math.min(plotLeft + 14, room)) + "px";
    tip.style.top = Math.max(0, u.over.offsetTop + (top ?? 0) - tip.offsetHeight - 12) + "px";
  }

  function describeAction(trace, [time, before, after, desired, limited, reason]) {
    const line = document.createElement("div");
    const head = document.createElement("b");
    head.textContent = `${stamp(trace, time)}  ${before} → ${after} `;
    line.append(head, data.reasons[reason] + limits(desired, data.reasons[limited]));
    return line;
  }

  function limits(desired, limited) {
    return limited ? ` (wanted ${desired >= 2147483647 ? "all there may be" : desired}, limited by ${limited})` : "";
  }

  function tooltip(plot) {
    plot.querySelector(".tip")?.remove();
    const tip = document.createElement("div");
    tip.className = "tip";
    tip.hidden = true;
    tip.setAttribute("role", "status");
    plot.append(tip);
    return tip;
  }

  function actionsTable(details, trace, policy) {
    const total = policy.actions_total;
    details.querySelector("summary").textContent = `${count(total)} scaling actions of ${policy.label}` +
      (policy.actions.length < total ? `, the ${count(policy.actions.length)} largest shown` : "");
    const fill = () => {
      const table = document.createElement("table");
      const head = table.createTHead().insertRow();
      for (const name of ["time", "from", "to", "reason"]) {
        const cell = document.createElement("th");
        cell.textContent = name;
        head.append(cell);
      }
      const body = table.createTBody();
      for (const [time, before, after, desired, limited, reason] of policy.actions.slice(0, 2000)) {
        const row = body.insertRow();
        row.insertCell().textContent = stamp(trace, time);
        row.insertCell().textContent = before;
        row.insertCell().textContent = after;
        const why = row.insertCell();
        why.className = "reason";
        why.textContent = data.reasons[reason] + limits(desired, data.reasons[limited]);
      }
      details.querySelector(".scroll").replaceChildren(table);
    };
    details.ontoggle = () => { if (details.open) fill(); };
    if (details.open) fill();
  }

  // -- cost against SLO -------------------------------------------------------------------------

  function scatter(plot, trace, choose) {
    const width = plot.clientWidth, height = Math.min(340, Math.max(240, width * 0.5));
    const pad = { left: 58, right: 16, top: 12, bottom: 36 };
    const points = trace.policies.flatMap((policy, i) => policy.runs.map(([cost, attainment]) => ({ cost, attainment, i })));
    const costs = points.map((point) => point.cost).concat(trace.least_cost ?? []);
    const low = Math.min(...costs), high = Math.max(...costs), margin = (high - low || high || 1) * 0.12;
    const [x0, x1] = [Math.max(0, low - margin), high + margin];
    // Misses on a logarithmic axis: 99 % and 99.9 % are as far apart as 90 % and 99 %.
    const floor = 1e-5;
    const misses = (attainment) => Math.log10(Math.max(1 - attainment, floor));
    const all = [...points.map((point) => misses(point.attainment)), misses(trace.slo.percentile)];
    const [y0, y1] = [Math.max(...all) + 0.15, Math.min(...all) - 0.25];
    const x = (cost) => pad.left + (cost - x0) / (x1 - x0) * (width - pad.left - pad.right);
    const y = (attainment) => pad.top + (misses(attainment) - y1) / (y0 - y1) * (height - pad.top - pad.bottom);
    const svg = node("svg", { viewBox: `0 0 ${width} ${height}`, height, role: "img", "aria-label": scatterLabel(trace) });
    for (const share of shares(1 - 10 ** y0, 1 - 10 ** y1)) {
      svg.append(node("line", { x1: pad.left, x2: width - pad.right, y1: y(share), y2: y(share), stroke: "var(--grid)" }));
      svg.append(text(pad.left - 6, y(share) + 4, share === 0.99999 ? "≥99.999%" : percent(share), "end"));
    }
    for (const cost of ticks(x0, x1, Math.max(4, Math.floor(width / 90)))) {
      svg.append(node("line", { x1: x(cost), x2: x(cost), y1: pad.top, y2: height - pad.bottom, stroke: "var(--grid)" }));
      svg.append(text(x(cost), height - pad.bottom + 16, rate(cost), "middle"));
    }
    svg.append(text((pad.left + width - pad.right) / 2, height - 4, "cost", "middle"));
    const slo = y(trace.slo.percentile);
    svg.append(node("line", { x1: pad.left, x2: width - pad.right, y1: slo, y2: slo, stroke: "var(--slo)", "stroke-dasharray": "6 4" }));
    svg.append(text(width - pad.right, slo + 15, `SLO ${percent(trace.slo.percentile)}`, "end"));
    if (trace.least_cost !== null) {
      const least = x(trace.least_cost);
      svg.append(node("line", { x1: least, x2: least, y1: pad.top, y2: height - pad.bottom, stroke: "var(--faint)", "stroke-dasharray": "2 4", class: "least" }));
      svg.append(text(least + 5, pad.top + 10, "nobody can do it for less", "start"));
    }
    // What seeds leave uncertain, in both directions, as far as it is in the picture.
    const within = (value, from, to) => Math.min(Math.max(value, from), to);
    for (const policy of trace.policies) {
      const [dc, da] = policy.half_widths;
      if (dc === null || da === null) continue;
      const [left, right] = [-dc, dc].map((d) => within(x(policy.cost + d), pad.left, width - pad.right));
      const [top, bottom] = [da, -da].map((d) => within(y(policy.attainment + d), pad.top, height - pad.bottom));
      svg.append(node("rect", { x: left, y: top, width: right - left, height: bottom - top, rx: 3, fill: hue(trace, policy), opacity: 0.12, class: "interval" }));
    }
    // Settings of one policy are joined in order of cost, and so are those that nothing beats.
    const byCost = [...trace.policies].sort((a, b) => a.cost - b.cost);
    const join = (policies, style) => policies.length > 1 && svg.append(node("polyline", {
      points: policies.map((policy) => `${x(policy.cost)},${y(policy.attainment)}`).join(" "), fill: "none", ...style,
    }));
    for (const name of new Set(byCost.map((policy) => policy.name))) {
      join(byCost.filter((policy) => policy.name === name), { stroke: "var(--faint)", "stroke-width": 1, class: "sweep" });
    }
    if (new Set(byCost.map((policy) => policy.name)).size < byCost.length) {
      join(byCost.filter((policy) => policy.front), { stroke: "var(--ink)", "stroke-width": 2, opacity: 0.5, class: "front" });
    }
    for (const point of points) {
      svg.append(node("circle", { cx: x(point.cost), cy: y(point.attainment), r: 3, fill: hue(trace, trace.policies[point.i]), opacity: 0.45 }));
    }
    const labels = trace.policies.map((policy, i) => ({ policy, i, cx: x(policy.cost), cy: y(policy.attainment),
      words: shorten(settingOf(byCost, policy), width < 500 ? 18 : 40) }));
    for (const { policy, i, cx, cy } of labels) {
      const dot = node("circle", { cx, cy, r: 7, fill: hue(trace, policy), stroke: "var(--card)", "stroke-width": 1.5 });
      dot.append(node("title", {}));
      dot.lastChild.textContent = `${policy.label}: ${percent(policy.attainment)} for ${rate(policy.cost)}`;
      dot.style.cursor = "pointer";
      dot.addEventListener("click", () => policy.series && choose(i));
      svg.append(dot);
    }
    for (const { words, cx, cy, lx, ly, onLeft } of apart(labels, width)) {
      // A label that had to move is tied to its dot.
      if (lx !== cx || ly !== cy) svg.append(node("line", { x1: cx, y1: cy, x2: lx + (onLeft ? -9 : 9), y2: ly, stroke: "var(--faint)" }));
      const label = text(lx + (onLeft ? -11 : 11), ly + 4, words, onLeft ? "end" : "start");
      label.style.fill = "var(--ink)";
      svg.append(label);
    }
    plot.replaceChildren(svg);
  }

  // Settings of one policy share a colour.
  function hue(trace, policy) {
    const names = [...new Set(trace.policies.map((each) => each.name))];
    return `var(--c${names.indexOf(policy.name) % 8})`;
  }

  // Of a swept policy the cheapest setting bears the name; the others say only what differs.
  function settingOf(byCost, policy) {
    const same = byCost.filter((each) => each.name === policy.name);
    if (same.length === 1 || same[0] === policy) return policy.label;
    const partsOf = (each) => each.label.slice(each.name.length + 1).split(",");
    const differing = partsOf(policy).filter((part, i) => same.some((each) => partsOf(each)[i] !== part));
    return differing.map((part) => part.split("=").pop()).join(", ");
  }

  // Labels of neighbours one below the other, beside all of their dots.
  function apart(labels, width) {
    const placed = [];
    for (const label of [...labels].sort((a, b) => a.cy - b.cy)) {
      const near = placed.filter((other) => Math.abs(other.cx - label.cx) < 170 && label.cy - other.ly < 15);
      placed.push({ ...label, ly: near.length ? Math.max(label.cy, Math.max(...near.map((other) => other.ly)) + 15) : label.cy });
    }
    return placed.map((label) => {
      const beside = placed.filter((other) => Math.abs(other.cx - label.cx) < 60 && Math.abs(other.cy - label.ly) < 14).map((other) => other.cx);
      // On the right where the words fit there; a letter is about 6.5 wide.
      const onLeft = label.cx > width * 0.6 || Math.max(label.cx, ...beside) + 11 + 6.5 * label.words.length > width;
      return { ...label, onLeft, lx: onLeft ? Math.min(label.cx, ...beside) : Math.max(label.cx, ...beside) };
    });
  }

  // Shares to mark between two others: 90, 95, 98, 99 % and so on, or the powers of ten alone where that is enough.
  function shares(low, high) {
    const marks = [0, 1, 2, 3, 4].flatMap((nines) => [1, 0.5, 0.2].map((miss) => 1 - miss * 10 ** -nines)).concat(0.99999);
    const within = marks.filter((share) => share >= low && share <= high);
    const nines = within.filter((share) => Number.isInteger(Math.round(Math.log10(1 - share) * 1e6) / 1e6));
    return nines.length > 2 ? nines : within;
  }

  function scatterLabel(trace) {
    return "Cost and SLO attainment: " + trace.policies.map((p) => `${p.label} ${percent(p.attainment)} for ${rate(p.cost)}`).join("; ");
  }

  function node(name, attributes) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    Object.entries(attributes).forEach(([key, value]) => element.setAttribute(key, value));
    return element;
  }

  function text(x, y, content, anchor) {
    const element = node("text", { x, y, "text-anchor": anchor });
    element.textContent = content;
    return element;
  }

  function ticks(low, high, wanted) {
    const raw = (high - low) / wanted, power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw);
    const found = [];
    for (let tick = Math.ceil(low / step) * step; tick <= high; tick += step) found.push(tick);
    return found;
  }

  // -- words ------------------------------------------------------------------------------------

  function stamp(trace, value) {
    if (trace.start === null) return elapsed(value);
    return new Date(value * 1e3).toISOString().slice(5, 19).replace("T", " ");
  }

  // 24-hour clock; the date below the first label of each day, or alone where days are apart.
  function timeLabels(trace, ticks, step) {
    let day = "";
    return ticks.map((tick) => {
      if (trace.start === null) return elapsed(tick);
      const iso = new Date(tick * 1e3).toISOString();
      const isNew = iso.slice(0, 10) !== day;
      day = iso.slice(0, 10);
      if (step >= 86400) return iso.slice(5, 10);
      return iso.slice(11, 16) + (isNew ? "\n" + iso.slice(5, 10) : "");
    });
  }

  function elapsed(value) {
    const days = Math.floor(value / 86400), rest = Math.round(value % 86400);
    const clock = new Date(rest * 1e3).toISOString().slice(11, rest % 60 ? 19 : 16);
    return days ? `d${days} ${clock}` : clock;
  }

  function seconds(value) {
    if (value >= 60) return trim(value / 60) + " min";
    return value >= 1 ? trim(value) + " s" : value >= 1e-3 ? trim(value * 1e3) + " ms" : trim(value * 1e6) + " µs";
  }

  function percent(value) {
    const shown = Math.floor(value * 1e7) / 1e5;
    return (shown >= 99.9 ? shown : Math.floor(shown * 100) / 100) + "%";
  }

  function rate(value) { return value >= 1e4 ? trim(value / 1e3) + "k" : trim(value); }
  function count(value) { return Number(value.toFixed(value < 10 ? 1 : 0)).toLocaleString("en"); }
  function trim(value) { return String(Number(value.toPrecision(3))); }
  function shorten(label, limit) { return label.length > limit ? label.slice(0, limit - 1) + "…" : label; }
})();
