// Asks the API every two seconds and fills the page. Whatever comes from the network is set as text, never as HTML.
"use strict";

const INTERVAL_MS = 2000;
const RATES_KEPT = 120;
const ROWS = 20;
// Accounts come in no order: of so many, the first by name are shown.
const ACCOUNTS_ASKED = 200;
const OUTCOMES = {
  success: "served",
  credit_limit_reached: "out of credit",
  credit_control_not_applicable: "unmetered",
  user_unknown: "unknown subscriber",
  missing_subscription: "no subscriber named",
  end_user_service_denied: "not allowed",
  rating_failed: "no price",
  unknown_session: "unknown session",
  repeated_with_other_content: "repeat that differs",
  too_busy: "too busy",
  unable_to_deliver: "store did not confirm",
  unable_to_comply: "our fault",
};
const rates = [];
let earlier = null;
let openSessions = null;
let currency = "";

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
    if (seen >= wanted) return `≤ ${+(latency.bounds_s[index] * 1000).toPrecision(3)} ms`;
  }
  return `> ${latency.bounds_s.at(-1)} s`;
}

// The newest rate stands at the right edge; the line grows to the left.
function drawRates() {
  const top = Math.max(1, ...rates);
  const step = 240 / (RATES_KEPT - 1);
  const points = rates.map((rate, index) => {
    const x = 240 - (rates.length - 1 - index) * step;
    return `${x.toFixed(1)},${(46 - (44 * rate) / top).toFixed(1)}`;
  });
  element("rate-line").firstElementChild.setAttribute("points", points.join(" "));
  setText("rate-top", `highest ${perSecond(Math.max(...rates))}`);
}

const perSecond = (rate) => (rate < 10 ? rate.toFixed(1) : whole.format(rate));

// Date and time of the reader's clock, in the order that sorts, and the zone's name.
function localTime(moment) {
  const two = (number) => String(number).padStart(2, "0");
  const date = `${moment.getFullYear()}-${two(moment.getMonth() + 1)}-${two(moment.getDate())}`;
  const zone = new Intl.DateTimeFormat("en-GB", { timeZoneName: "short" })
    .formatToParts(moment).find((part) => part.type === "timeZoneName").value;
  return [`${date} ${two(moment.getHours())}:${two(moment.getMinutes())}:${two(moment.getSeconds())}`, zone];
}

// Amounts of one column, all with as many decimals as the finest of them.
function aligned(amounts) {
  const decimals = Math.max(2, ...amounts.map((amount) => amount.split(".")[1]?.length ?? 0));
  return amounts.map((amount) => {
    const [units, fraction = ""] = amount.split(".");
    return `${units}.${fraction.padEnd(decimals, "0")}`;
  });
}

function showState(text, kind) {
  setText("state", text);
  element("state").className = `pill ${kind}`;
}

function showStatus(status) {
  const now = Date.parse(status.time);
  showState(status.readiness.ready ? "ready" : "not ready", status.readiness.ready ? "good" : "bad");
  setText("time", localTime(new Date(now)).join(" "));
  setText("requests", whole.format(status.requests));
  openSessions = status.open_sessions;
  setText("sessions-open", status.open_sessions === null ? "–" : whole.format(status.open_sessions));
  const outcomes = Object.entries(status.answers).sort((a, b) => b[1] - a[1]).slice(0, 3);
  setText("outcomes", outcomes.map(([name, count]) => `${whole.format(count)} ${OUTCOMES[name] ?? name.replaceAll("_", " ")}`).join(", "));
  // A worker that started again counts from nothing: that look gives no rate.
  if (earlier !== null && now > earlier.now && status.requests >= earlier.requests) {
    const rate = ((status.requests - earlier.requests) * 1000) / (now - earlier.now);
    rates.push(rate);
    if (rates.length > RATES_KEPT) rates.shift();
    setText("rate", perSecond(rate));
    setText("p50", quantile(status.latency, earlier.latency, 0.5));
    setText("p99", quantile(status.latency, earlier.latency, 0.99));
    drawRates();
  }
  earlier = { now, requests: status.requests, latency: status.latency };
  element("checks").replaceChildren(...status.readiness.checks.map((check) => {
    const item = document.createElement("li");
    item.className = check.ok ? "good" : "bad";
    // The process that runs the others is known inside by the command's name.
    const name = check.name === "up" ? "supervisor" : check.name;
    const detail = check.detail.replace(/^up: /, "supervisor: ");
    item.textContent = check.ok ? `${name}: ok` : detail || `${name}: failing`;
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
  const charged = aligned(page.items.map((session) => session.charged));
  fill("sessions", page.items.map((session, index) => [
    session.service, session.account_id, [`${charged[index]} ${currency}`.trim(), "number"],
    session.services.map((service) => service.rating_group ?? "–").join(", "),
    localTime(new Date(session.opened))[0], [session.session_id, "long"],
  ]), "No session is open.");
  const all = Math.max(openSessions ?? 0, page.items.length);
  setText("sessions-shown", all > page.items.length ? `(${page.items.length} of ${whole.format(all)})` : "");
}

function showAccounts(page) {
  const sorted = page.items.toSorted((a, b) => (a.account_id < b.account_id ? -1 : 1));
  const shown = sorted.slice(0, ROWS);
  const column = (name) => {
    const amounts = aligned(shown.map((account) => account[name].amount));
    return shown.map((account, index) => [
      `${amounts[index]} ${account[name].currency}`, account[name].micro < 0 ? "number negative" : "number",
    ]);
  };
  const [balances, reserved, available] = ["balance", "reserved", "available"].map(column);
  fill("accounts", shown.map((account, index) => [
    account.account_id, account.state, balances[index], reserved[index], available[index],
    [account.buckets.filter((bucket) => bucket.unit !== "money")
      .map((bucket) => `${bucket.available} (${bucket.allowance || bucket.bucket_id})`).join(", "), "long"],
  ]), "There is no account yet: ocs account create makes one.");
  const currencies = new Set(page.items.map((account) => account.balance.currency));
  currency = currencies.size === 1 ? [...currencies][0] : "";
  const all = `${whole.format(sorted.length)}${page.next_cursor === null ? "" : " or more"}`;
  setText("accounts-shown", sorted.length > shown.length ? `(${shown.length} of ${all})` : "");
}

async function refresh() {
  const parts = [
    ["/api/v1/status", showStatus],
    ["/api/v1/peers", showPeers],
    [`/api/v1/sessions?limit=${ROWS}`, showSessions],
    [`/api/v1/accounts?limit=${ACCOUNTS_ASKED}`, showAccounts],
  ];
  const results = await Promise.allSettled(parts.map(async ([path, show]) => {
    show(await load(path));
    // A look at the whole system waits for a worker that hangs; the rest of the page is there before it.
    if (element("state").textContent === "connecting") showState("connected", "");
  }));
  if (results[0].status === "rejected") showState("no answer", "bad");
  setTimeout(refresh, INTERVAL_MS);
}

refresh();
