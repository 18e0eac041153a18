"use strict";
// Draws forecasts over what came. The data is gzipped JSON in base64; nothing is ever fetched.
(async () => {
  const root = document.documentElement;
  const data = await unpack(document.getElementById("data").textContent);
  const color = (name) => getComputedStyle(root).getPropertyValue("--" + name).trim();
  let drawn = [];

  const prefersDark = matchMedia("(prefers-color-scheme: dark)");
  const setTheme = (dark) => { root.dataset.theme = dark ? "dark" : "light"; draw(); };
  prefersDark.addEventListener("change", (event) => setTheme(event.matches));
  document.getElementById("theme").addEventListener("click", () => setTheme(root.dataset.theme !== "dark"));
  addEventListener("resize", draw);
  setTheme(prefersDark.matches);
  root.dataset.ready = "true";

  async function unpack(base64) {
    const bytes = Uint8Array.from(atob(base64.trim()), (char) => char.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(stream).text());
  }

  function draw() {
    drawn.forEach((chart) => chart.destroy());
    const place = document.getElementById("charts");
    place.replaceChildren();
    drawn = data.charts.map((chart) => lines(section(place, chart.title), chart));
  }

  function section(place, title) {
    const heading = document.createElement("h2"), plot = document.createElement("div");
    heading.textContent = title;
    place.append(heading, plot);
    return plot;
  }

  function lines(plot, chart) {
    const grid = { stroke: color("grid"), width: 1 };
    const axis = { stroke: color("faint"), grid, ticks: grid, font: "12px system-ui, sans-serif" };
    const rate = (u, value) => (value === null ? "–" : value.toPrecision(4) + "/s");
    const band = color("billed");
    return new uPlot({
      width: plot.clientWidth,
      height: 320,
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1e3), "Etc/UTC"),
      cursor: { sync: { key: "forecast" }, drag: { x: true, y: false } },
      scales: { x: { time: true }, y: { range: (u, low, high) => [0, high > 0 ? high * 1.08 : 1] } },
      axes: [axis, { ...axis, size: 58 }],
      series: [
        {},
        { label: "95 %", stroke: band, width: 1, value: rate },
        { label: "5 %", stroke: band, width: 1, value: rate },
        { label: "expected", stroke: color("target"), width: 1.5, value: rate },
        { label: "came", stroke: color("ready"), width: 1, value: rate },
      ],
      bands: [{ series: [1, 2], fill: band + "55" }],
    }, [chart.time, chart.high, chart.low, chart.mean, chart.actual], plot);
  }
})();
