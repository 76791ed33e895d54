// Asks the API every two seconds and fills the page. Whatever comes from the network is set as text, never as HTML.
"use strict";

const INTERVAL_MS = 2000;
const RATES_KEPT = 120;
const ROWS = 20;
const rates = [];
let earlier = null;

const element = (id) => document.getElementById(id);
const setText = (id, text) => { element(id).textContent = text; };
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

async function load(path) {
  const answer = await fetch(path, { cache: "no-store" });
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

// Cells are texts, or [text, class].
function fill(id, rows, empty) {
  const body = element(id).tBodies[0];
  const made = rows.map((cells) => {
    const row = document.createElement("tr");
    for (const cell of cells) {
      const [text, kind] = Array.isArray(cell) ? cell : [cell, ""];
      const data = row.insertCell();
      data.textContent = text;
      data.title = text;
      if (kind) data.className = kind;
    }
    return row;
  });
  if (made.length === 0) {
    const row = document.createElement("tr");
    const data = row.insertCell();
    data.colSpan = element(id).tHead.rows[0].cells.length;
    data.className = "empty";
    data.textContent = empty;
    made.push(row);
  }
  body.replaceChildren(...made);
}

// The bound under which the given share of the answers between two looks fell.
function quantile(latency, before, share) {
  const counts = latency.counts.map((count, index) => Math.max(0, count - (before?.counts[index] ?? 0)));
  const wanted = counts.reduce((sum, count) => sum + count, 0) * share;
  if (wanted === 0) return "–";
  let seen = 0;
  for (let index = 0; index < latency.bounds_s.length; index += 1) {
    seen += counts[index];
    if (seen >= wanted) return `${+(latency.bounds_s[index] * 1000).toPrecision(3)} ms`;
  }
  return `over ${latency.bounds_s.at(-1)} s`;
}

function drawRates() {
  const top = Math.max(1, ...rates);
  const step = 240 / (RATES_KEPT - 1);
  const points = rates.map((rate, index) => `${(index * step).toFixed(1)},${(46 - (44 * rate) / top).toFixed(1)}`);
  element("rate-line").firstElementChild.setAttribute("points", points.join(" "));
}

function showState(text, kind) {
  setText("state", text);
  element("state").className = `pill ${kind}`;
}

function showStatus(status) {
  const now = Date.parse(status.time);
  showState(status.readiness.ready ? "ready" : "not ready", status.readiness.ready ? "good" : "bad");
  setText("time", new Date(now).toLocaleString());
  setText("requests", whole.format(status.requests));
  setText("sessions-open", status.open_sessions === null ? "–" : whole.format(status.open_sessions));
  const outcomes = Object.entries(status.answers).sort((a, b) => b[1] - a[1]).slice(0, 3);
  setText("outcomes", outcomes.map(([name, count]) => `${whole.format(count)} ${name.replaceAll("_", " ")}`).join(", "));
  // A worker that started again counts from nothing: that look gives no rate.
  if (earlier !== null && now > earlier.now && status.requests >= earlier.requests) {
    const rate = ((status.requests - earlier.requests) * 1000) / (now - earlier.now);
    rates.push(rate);
    if (rates.length > RATES_KEPT) rates.shift();
    setText("rate", rate < 10 ? rate.toFixed(1) : whole.format(rate));
    setText("p50", quantile(status.latency, earlier.latency, 0.5));
    setText("p99", quantile(status.latency, earlier.latency, 0.99));
    drawRates();
  }
  earlier = { now, requests: status.requests, latency: status.latency };
  element("checks").replaceChildren(...status.readiness.checks.map((check) => {
    const item = document.createElement("li");
    item.className = check.ok ? "good" : "bad";
    item.textContent = check.ok ? `${check.name}: ok` : check.detail || `${check.name}: failing`;
    return item;
  }));
}

function showPeers(peers) {
  fill("peers", peers.items.map(({ worker, connection: peer }) => [
    peer.origin_host || "(not identified)", peer.product_name ?? "", peer.state ?? "", peer.remote ?? "", worker,
    [whole.format(peer.requests ?? 0), "number"], [whole.format(peer.in_flight ?? 0), "number"],
    [whole.format(peer.errors ?? 0), "number"],
  ]), "No gateway is connected.");
}

function showSessions(page) {
  fill("sessions", page.items.map((session) => [
    session.session_id, session.service, session.account_id,
    session.services.map((service) => service.rating_group ?? "–").join(", "),
    new Date(session.opened).toLocaleTimeString(), [session.charged, "number"],
  ]), "No session is open.");
}

function showAccounts(page) {
  const money = (view) => [`${view.amount} ${view.currency}`, view.micro < 0 ? "number negative" : "number"];
  fill("accounts", page.items.map((account) => [
    account.account_id, account.state, money(account.balance), money(account.reserved), money(account.available),
    account.buckets.filter((bucket) => bucket.unit !== "money")
      .map((bucket) => `${whole.format(bucket.value - bucket.reserved)} ${bucket.unit.replaceAll("_", " ")}`).join(", "),
  ]), "There is no account yet: ocs account create makes one.");
}

async function refresh() {
  const parts = [
    ["/api/v1/status", showStatus],
    ["/api/v1/peers", showPeers],
    [`/api/v1/sessions?limit=${ROWS}`, showSessions],
    [`/api/v1/accounts?limit=${ROWS}`, showAccounts],
  ];
  const results = await Promise.allSettled(parts.map(async ([path, show]) => show(await load(path))));
  if (results[0].status === "rejected") showState("no answer", "bad");
  setTimeout(refresh, INTERVAL_MS);
}

refresh();
