"use strict";
// Shows a run as it goes. Text from the run is only ever set as text, never as markup.
(() => {
  const byId = (id) => document.getElementById(id);
  const root = document.documentElement;
  const { say, clock, rate, count, percent, seconds } = charts;
  const money = (amount) => amount.toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: amount < 1 ? 4 : 2 });
  const RETRY_MS = 2000, REFRESH_MS = 3000, SLOW_REFRESH_MS = 15000, LONG_S = 3600;
  let since = Number(new URLSearchParams(location.search).get("since")) || 900, refreshed = 0, token = sessionStorage.getItem("token") ?? "", slo = null, run = null, bounds = "";

  // -- asking -----------------------------------------------------------------------------------

  async function ask(path, options = {}) {
    const headers = token ? { Authorization: "Bearer " + token } : {};
    const answer = await fetch("api/v1/" + path, { ...options, headers });
    if (answer.ok) return answer;
    const said = await answer.json().catch(() => ({ error: answer.statusText }));
    throw new Error(said.error);
  }
  const read = async (path) => (await ask(path)).json();

  async function order(path, body = {}) {
    try {
      const said = await (await ask(path, { method: "POST", body: JSON.stringify(body) })).json();
      byId("answer").textContent = `${said.accepted}: done at the next tick.`;
    } catch (error) {
      byId("answer").textContent = error.message;
    }
  }

  // -- now --------------------------------------------------------------------------------------

  function show(status) {
    const { tick } = status;
    run = status;
    slo = status.slo;
    document.title = `${status.name} · hindscale`;
    byId("name").textContent = status.name;
    byId("version").textContent = status.version;
    byId("mode").textContent = { shadow: "shadow: nothing is scaled", acting: "acting", paused: "paused" }[status.mode];
    byId("mode").dataset.mode = status.mode;
    byId("pause").textContent = status.mode === "paused" ? "Go on" : "Pause";
    byId("pause").disabled = status.mode === "shadow";
    const { min_replicas: min, max_replicas: max } = status.bounds;
    byId("plan").textContent = `${status.policy} · SLO ${slo.text} · ${min} to ${max} replicas`;
    if (bounds !== `${min} ${max}`) {
      bounds = `${min} ${max}`;
      byId("min").value = min;
      byId("max").value = max;
    }
    byId("cost").textContent = money(status.measured.cost);
    byId("attainment").textContent = say(status.measured.attainment, percent);
    byId("attainment").dataset.bad = status.measured.attainment !== null && status.measured.attainment < slo.percentile;
    if (tick) showTick(tick);
    trouble([status.store.failure, status.fleet.failure, tick?.trouble, tick?.held ? tick.reason : ""]);
  }

  function showTick(tick) {
    byId("rate").textContent = say(tick.rate_rps, rate, " /s");
    byId("replicas").textContent = `${say(tick.ready, count)} → ${say(tick.target, count)}`;
    byId("p99").textContent = say(tick.p99_s, seconds);
    byId("p99").dataset.bad = tick.p99_s !== null && tick.p99_s > slo.latency_s;
    byId("queued").textContent = say(tick.queued, count);
    const limits = tick.limited_by.length ? ` (wanted ${count(tick.desired)}, limited by ${tick.limited_by.join(", ")})` : "";
    const said = `${say(tick.target, count)} replicas: ${tick.reason}${limits}`;
    // Only what changes is announced.
    if (byId("decision").textContent !== said) byId("decision").textContent = said;
  }

  function trouble(texts) {
    const said = [...new Set(texts.filter(Boolean))].join(" · ");
    byId("trouble").hidden = !said;
    if (byId("trouble").textContent !== said) byId("trouble").textContent = said;
  }

  // -- tables -----------------------------------------------------------------------------------

  function rowOf(cells, name) {
    const row = document.createElement("tr");
    row.className = name;
    for (const cell of cells) {
      const place = document.createElement("td");
      if (cell instanceof Node) place.append(cell);
      else place.textContent = cell;
      row.append(place);
    }
    return row;
  }

  function button(words, label, press) {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = words;
    made.setAttribute("aria-label", label);
    made.addEventListener("click", press);
    return made;
  }

  // A table that is the same is left alone: whoever is on one of its buttons stays there.
  function fill(id, rows, make) {
    const shape = JSON.stringify(rows);
    const body = byId(id);
    if (body.dataset.shape === shape) return;
    const focused = [...body.querySelectorAll("button")].findIndex((each) => each === document.activeElement);
    body.replaceChildren(...rows.map(make));
    body.dataset.shape = shape;
    if (focused >= 0) body.querySelectorAll("button")[focused]?.focus();
  }

  function showScores({ policies }) {
    fill("policies", policies, (each) => rowOf([
      each.role === "measured" ? "this fleet" : each.policy,
      { measured: "measured", decides: "decides, simulated", shadow: "shadow, simulated" }[each.role],
      say(each.attainment, percent), money(each.cost), trim(each.replica_hours),
      each.role === "shadow" ? button("Promote", `Promote ${each.policy}`, () => order("promote", { policy: each.policy })) : "",
    ], each.role));
  }

  function showLeast({ least_cost: least }) {
    byId("least").textContent = least === null ? "" :
      `With perfect foresight, nobody could have kept the SLO in this time for less than ${money(least)}.`;
  }
  const trim = (value) => String(Number(value.toPrecision(3)));

  function showDecisions(rows) {
    fill("decisions", rows, (each) => {
      const limits = each.limited_by ? ` (wanted ${count(each.desired)}, limited by ${each.limited_by})` : "";
      const change = each.target === null ? "–" : `${each.before ?? "–"} → ${each.target}`;
      const row = rowOf([
        clock(each.wall_s), change, each.reason + limits,
        button("Why?", `Why, at ${clock(each.wall_s)}`, () => explain(each.wall_s)),
      ], each.held ? "held" : "");
      row.children[2].className = "text";
      return row;
    });
  }

  async function explain(wall) {
    byId("explanation-text").textContent = "…";
    byId("explanation").showModal();
    try {
      byId("explanation-text").textContent = (await read(`explain?at=${wall + 1e-4}`)).text;
    } catch (error) {
      byId("explanation-text").textContent = error.message;
    }
  }

  // -- over time --------------------------------------------------------------------------------

  async function refresh() {
    if (slo === null) return;
    refreshed = Date.now();
    try {
      const points = Math.max(200, Math.min(1000, innerWidth));
      const span = Math.max(since, 60);
      const [past, ahead, scores, changes] = await Promise.all([
        read(`series?since=${since}&points=${points}`), read(`forecast?since=${span}`),
        read(`scores?since=${span}`), read("decisions?most=50"),
      ]);
      charts.all(past, ahead, slo);
      showScores(scores);
      showDecisions(changes);
      root.dataset.ready = "true";
      showLeast(await read(`hindsight?since=${span}`));
    } catch (error) {
      trouble([error.message]);
    }
  }

  // Server-sent events, read by hand: EventSource cannot send a token.
  async function follow() {
    for (;;) {
      try {
        const reader = (await ask("events")).body.pipeThrough(new TextDecoderStream()).getReader();
        let buffer = "", isFirst = true;
        for (;;) {
          const { value, done } = await reader.read();
          if (done) break;
          const events = (buffer + value).split("\n\n");
          buffer = events.pop();
          for (const event of events) {
            const data = event.split("\n").find((line) => line.startsWith("data: "));
            if (data) show(JSON.parse(data.slice(6)));
            if (data && isFirst) { isFirst = false; refresh(); }
          }
        }
        trouble(["The controller does not answer; trying again."]);
      } catch (error) {
        trouble([error instanceof TypeError ? "The controller does not answer; trying again." : error.message]);
      }
      await new Promise((done) => setTimeout(done, RETRY_MS));
    }
  }

  // -- what can be pressed ----------------------------------------------------------------------

  const ranges = [...document.querySelectorAll(".ranges button")];
  const markRange = () => ranges.forEach((each) => each.setAttribute("aria-pressed", String(Number(each.dataset.since) === since)));
  for (const each of ranges) {
    each.addEventListener("click", () => { since = Number(each.dataset.since); markRange(); refresh(); });
  }
  markRange();
  byId("pause").addEventListener("click", () => order(run?.mode === "paused" ? "resume" : "pause"));
  byId("rollback").addEventListener("click", () => order("rollback"));
  byId("bounds-form").addEventListener("submit", (event) => {
    event.preventDefault();
    order("bounds", { min_replicas: Number(byId("min").value), max_replicas: Number(byId("max").value) });
  });
  byId("token-form").addEventListener("submit", (event) => {
    event.preventDefault();
    token = byId("token").value.trim();
    sessionStorage.setItem("token", token);
    byId("token").value = "";
    byId("answer").textContent = "The token is used until this tab is closed.";
  });
  byId("close").addEventListener("click", () => byId("explanation").close());

  const prefersDark = matchMedia("(prefers-color-scheme: dark)");
  const setTheme = (dark) => { root.dataset.theme = dark ? "dark" : "light"; refresh(); };
  prefersDark.addEventListener("change", (event) => setTheme(event.matches));
  byId("theme").addEventListener("click", () => setTheme(root.dataset.theme !== "dark"));
  setTheme(prefersDark.matches);
  let width = innerWidth;
  addEventListener("resize", () => { if (innerWidth !== width) { width = innerWidth; refresh(); } });
  setInterval(() => { if (Date.now() - refreshed >= (since > LONG_S ? SLOW_REFRESH_MS : REFRESH_MS)) refresh(); }, 1000);
  follow();
})();
