"use strict";
// What the daemon counted, drawn anew every few seconds. Nothing is asked of anybody else, and every
// text from outside becomes a text node: names of networks are not ours.
const words = JSON.parse(document.getElementById("words").textContent);
const language = document.documentElement.lang;
const number = new Intl.NumberFormat(language);
const percent = new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: 1 });
const ACTIONS = ["pass", "tag", "quarantine", "defer", "reject", "discard"];
const EVERY_MS = 5000;
const LATE_MS = 2000;
const SVG = "http://www.w3.org/2000/svg";
let span = sessionStorage.getItem("window") || "1h";
let token = sessionStorage.getItem("token") || "";
let timer = 0;
let round = 0;

const at = (id) => document.getElementById(id);
const filled = (text, places) => Object.entries(places).reduce((all, [name, value]) => all.replace(`{${name}}`, value), text);

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function drawn(name, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const rounded = new Intl.NumberFormat(language, { maximumFractionDigits: 2 });
const clock = (seconds, options) => new Intl.DateTimeFormat(language, options).format(new Date(seconds * 1000));

function size(bytes) {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"];
  const power = Math.min(units.length - 1, bytes > 0 ? Math.floor(Math.log10(bytes) / 3) : 0);
  const form = { style: "unit", unit: units[power], unitDisplay: "short", maximumFractionDigits: 1 };
  return new Intl.NumberFormat(language, form).format(bytes / 1000 ** power);
}

function duration(seconds) {
  const [unit, amount] = seconds >= 86400 ? ["day", seconds / 86400] : seconds >= 3600 ? ["hour", seconds / 3600] : ["minute", seconds / 60];
  return new Intl.NumberFormat(language, { style: "unit", unit, unitDisplay: "long" }).format(amount);
}

function table(caption, head, rows, numbers = []) {
  if (!rows.length) return element("p", { class: "note" }, caption ? `${caption}: ${words.nothing}` : words.nothing);
  const cell = (name, value, place) => element(name, numbers.includes(place) ? { class: "n" } : {}, value);
  const top = head.map((value, place) => { const made = cell("th", value, place); made.scope = "col"; return made; });
  const body = rows.map((row) => element("tr", {}, ...row.map((value, place) => {
    const made = cell(place ? "td" : "th", value, place);
    if (!place) made.scope = "row";
    else made.dir = "auto";
    return made;
  })));
  return element("table", {}, ...(caption && caption !== head[0] ? [element("caption", {}, caption)] : []), element("thead", {}, element("tr", {}, ...top)), element("tbody", {}, ...body));
}

// Focus stays where it was, and nobody who is reading a table has it torn away when nothing changed.
function put(id, ...children) {
  const place = at(id);
  const fresh = element("div", {}, ...children);
  if (place.dataset.was === fresh.innerHTML) return;
  place.dataset.was = fresh.innerHTML;
  place.replaceChildren(...fresh.childNodes);
}

const share = (count, told) => (told.totals.messages ? percent.format(count / told.totals.messages) : "");
const exact = (told, name) => told.dimensions[name] || [];

function totals(told, status) {
  const all = told.totals;
  const facts = [
    [words.messages, number.format(all.messages)],
    [words.unwanted, `${number.format(all.unwanted)}${all.messages ? ` (${percent.format(all.unwanted / all.messages)})` : ""}`],
    [words.bytes, size(all.bytes)],
    [words.bytes_saved, size(all.bytes_saved)],
    [words.connections, number.format(status.sessions)],
    [words.workers, `${number.format(status.workers_ready)} / ${number.format(status.workers)}`],
  ];
  put("totals", ...facts.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value))));
}

function overTime(told) {
  const width = 900, height = 180, room = 26;
  const most = Math.max(1, ...told.timeline.map((one) => one.messages));
  const step = width / told.timeline.length;
  const bars = [];
  told.timeline.forEach((one, place) => {
    let top = height;
    for (const action of ACTIONS) {
      const count = one.actions[action] || 0;
      if (!count) continue;
      const tall = (height * count) / most;
      top -= tall;
      bars.push(drawn("rect", { class: `f-${action}`, x: (step * place).toFixed(2), y: top.toFixed(2), width: (step * 0.86).toFixed(2), height: tall.toFixed(2) }));
    }
  });
  // Days are those of UTC. Hours of several days say of which day they are.
  const day = { day: "numeric", month: "short" };
  const hour = { hour: "numeric", minute: "2-digit" };
  const form = told.step_s >= 86400 ? { ...day, timeZone: "UTC" } : told.step_s >= 3600 ? { ...day, ...hour } : hour;
  const marks = [0, 0.5, 1].map((part) => {
    const one = told.timeline[Math.round((told.timeline.length - 1) * part)];
    const text = drawn("text", { x: width * part, y: height + 18, "text-anchor": ["start", "middle", "end"][part * 2] });
    text.append(clock(one.at, form));
    return text;
  });
  // What the highest bar stands for.
  const scale = drawn("text", { x: 0, y: 12 });
  scale.append(number.format(most));
  marks.push(scale);
  const label = `${words.chart_of}. ${filled(words.per_slot, { step: duration(told.step_s) })}: ${number.format(most)}`;
  const chart = drawn("svg", { viewBox: `0 0 ${width} ${height + room}`, role: "img", "aria-label": label, class: "chart" }, ...bars, ...marks);
  const seen = ACTIONS.filter((action) => told.timeline.some((one) => one.actions[action]));
  const key = element("ul", { class: "key" }, ...seen.map((action) => element("li", {},
    drawn("svg", { viewBox: "0 0 8 8", "aria-hidden": "true" }, drawn("rect", { class: `f-${action}`, width: 8, height: 8 })), words[`a_${action}`])));
  put("time", element("p", { class: "note" }, filled(words.per_slot, { step: duration(told.step_s) })), chart, ...(seen.length ? [key] : []));
}

function counted(id, told, name, head, shown) {
  const rows = exact(told, name).slice(0, 15).map((one) => [shown(one.value), number.format(one.messages), share(one.messages, told)]);
  put(id, table("", [head, words.messages, words.share], rows, [1, 2]));
}

function frequent(id, told, name, head, shown = (value) => value) {
  const found = told.top[name];
  at(id).hidden = !found;
  if (!found) { put(id); return; }
  const rows = found.entries.slice(0, 15).map((one) => [shown(one.value), number.format(one.messages), number.format(one.unwanted)]);
  const note = found.error ? [element("p", { class: "note" }, filled(words.more_error, { n: number.format(found.error) }))] : [];
  put(id, table(name === "campaign" ? "" : head, [head, words.messages, words.unwanted], rows, [1, 2]), ...note);
}

let regions = null;
try { regions = new Intl.DisplayNames([language], { type: "region" }); } catch { regions = null; }
function country(code) {
  if (code === "ZZ" || !/^[A-Z]{2}$/.test(code)) return words.unknown;
  try { return (regions && regions.of(code)) || code; } catch { return code; }
}

// A country and a listener of ours.
function route(value) {
  const [from, to] = value.split(" > ", 2);
  return `${country(from)} > ${to}`;
}

function world(told) {
  const x = (lon) => lon + 180, y = (lat) => 84 - lat;
  const land = LAND.map((line) => drawn("polygon", { class: "land", points: line.map((one, place) => (place % 2 ? y(one) : x(one))).join(" ") }));
  const found = exact(told, "country").filter((one) => CENTRES.has(one.value));
  const most = Math.max(1, ...found.map((one) => one.messages));
  const spots = found.slice(0, 100).map((one) => {
    const [lon, lat] = CENTRES.get(one.value);
    return drawn("circle", { class: "spot", cx: x(lon), cy: y(lat), r: (1 + 8 * Math.sqrt(one.messages / most)).toFixed(1) });
  });
  put("map", drawn("svg", { viewBox: "0 0 360 142", role: "img", "aria-label": words.map_of, class: "chart" }, ...land, ...spots));
}

function money(told) {
  const sums = told.money;
  const form = new Intl.NumberFormat(language, { style: "currency", currency: sums.currency });
  const rows = [["spent", sums.spent], ["saved", sums.saved]].flatMap(([side, items]) =>
    items.map((one) => [`${words[side]}: ${words[`m_${one.name}`] || one.name}`, form.format(one.amount), one.formula]));
  rows.push([words.spent, form.format(sums.spent_total), ""], [words.saved, form.format(sums.saved_total), ""]);
  put("money", table("", [words.what, sums.currency, words.formula], rows, [1]));
}

function checks(found) {
  const rows = found.checks.map((one) => [one.check, number.format(one.runs), number.format(one.failed), rounded.format(one.mean_ms)]);
  put("checks", table("", [words.check, words.runs, words.failed, words.mean_ms], rows, [1, 2, 3]));
}

function lists(found) {
  const rows = found.lists.map((one) => [one.zone, one.state, one.reason, number.format(one.asked)]);
  put("lists", table("", [words.zone, words.state, words.why, words.asked], rows, [3]));
}

function verdicts(found) {
  const rows = found.messages.map((one) => [clock(one.at, { dateStyle: "short", timeStyle: "medium" }), words[`a_${one.action}`] || one.action, one.sentence]);
  put("verdicts", table(words.verdicts_hint, [words.time, words.action, words.why], rows));
}

async function asked(path) {
  const answer = await fetch(path, { headers: token ? { Authorization: `Bearer ${token}` } : {}, cache: "no-store" });
  if (!answer.ok) throw new Error(String(answer.status));
  return answer.json();
}

function draw(told, status) {
  totals(told, status);
  overTime(told);
  counted("action", told, "action", words.by_action, (value) => words[`a_${value}`] || value);
  counted("kind", told, "kind", words.by_kind, (value) => words[`k_${value}`] || value);
  counted("country", told, "country", words.country, country);
  counted("route", told, "route", words.route, route);
  counted("hops", told, "hops", words.hops, (value) => number.format(value));
  counted("stage", told, "stage", words.stage, (value) => (value === "message" ? words.end_of_message : value.toUpperCase()));
  counted("symbol", told, "symbol", words.name, (value) => value);
  counted("shadow", told, "shadow", words.shadow_hint, (value) => value);
  world(told);
  frequent("network", told, "network", words.network);
  frequent("network_route", told, "network_route", words.network);
  frequent("block", told, "block", words.block);
  frequent("recipient_domain", told, "recipient_domain", words.recipient_domain);
  frequent("campaign", told, "campaign", words.campaign, (value) => value.slice(0, 12));
  money(told);
}

// A store that hangs is waited for, and who looks is told so meanwhile.
async function figures(status, mine) {
  const late = setTimeout(() => { if (mine === round) say(words.store_away); }, LATE_MS);
  let told;
  try {
    told = await asked(`/v1/stats?window=${span}`);
  } catch (error) {
    if (error.message !== "503") throw error;
    if (mine === round) say(words.store_away);
    return;
  } finally {
    clearTimeout(late);
  }
  if (mine !== round) return;
  draw(told, status);
  at("s-verdicts").hidden = !told.personal;
  if (told.personal) verdicts(await asked("/v1/history?limit=20"));
  say("");
  at("updated").textContent = filled(words.updated, { time: clock(Date.now() / 1000, { timeStyle: "medium" }) });
}

async function refresh() {
  const mine = ++round;
  try {
    const { status, counted: counts } = await asked("/v1/status");
    const state = [status.ready ? words.takes_mail : words.no_mail];
    if (status.workers_silent.length) state.push(filled(words.silent, { pids: status.workers_silent.join(", ") }));
    at("state").textContent = state.join(" · ");
    await Promise.all([
      asked("/v1/checks").then(checks),
      asked("/v1/lists").then(lists),
      counts ? figures(status, mine) : say(words.no_store),
    ]);
  } catch (error) {
    if (mine === round) say(words.unreachable);
  }
}

function say(text) {
  // A screen reader hears it once, not every few seconds.
  if (at("trouble").textContent !== text) at("trouble").textContent = text;
}

async function turn() {
  clearTimeout(timer);
  if (!document.hidden) await refresh();
  clearTimeout(timer);
  timer = setTimeout(turn, EVERY_MS);
}

function press() {
  for (const one of at("windows").children) one.setAttribute("aria-pressed", String(one.value === span));
  at("forget").hidden = !token;
}

at("windows").addEventListener("click", (event) => {
  if (event.target.tagName !== "BUTTON") return;
  span = event.target.value;
  sessionStorage.setItem("window", span);
  press();
  turn();
});
at("language").addEventListener("change", (event) => { location.search = `?lang=${event.target.value}`; });
at("token").addEventListener("submit", (event) => {
  event.preventDefault();
  token = at("secret").value.trim();
  at("secret").value = "";
  sessionStorage.setItem("token", token);
  press();
  turn();
});
at("forget").addEventListener("click", () => { token = ""; sessionStorage.removeItem("token"); press(); turn(); });
document.addEventListener("visibilitychange", () => { if (!document.hidden) turn(); });
press();
turn();
