"use strict";
// The token is kept in this variable alone: nothing is stored, a reload signs out.
let token = null;

const byId = (id) => document.getElementById(id);
const say = (words) => { byId("said").textContent = words; };

function element(name, given = {}, ...children) {
  const made = Object.assign(document.createElement(name), given);
  made.append(...children);
  return made;
}

function button(words, about, act) {
  const made = element("button", { type: "button", textContent: words, onclick: guarded(act) });
  made.setAttribute("aria-label", `${words}: ${about}`);
  return made;
}

// What goes wrong is told in words, where a screen reader hears it.
function guarded(act) {
  return async (event) => {
    event.preventDefault();
    say("");
    try {
      await act(event);
    } catch (error) {
      say(error.message);
    }
  };
}

async function ask(path, query = {}, accept = "application/json") {
  const given = Object.entries(query).filter(([, value]) => value);
  const answer = await fetch(`/v1/insurer/${path}?${new URLSearchParams(given)}`, {
    headers: { Authorization: `Bearer ${token}`, Accept: accept }, cache: "no-store",
  });
  if (answer.status === 401) {
    leave();
    throw new Error("The token has run out or was taken back: sign in again.");
  }
  if (!answer.ok) {
    const problem = await answer.json().catch(() => ({}));
    const errors = (problem.errors || []).map((one) => `${one.parameter || one.pointer}: ${one.detail}`);
    throw new Error([problem.title || `Status ${answer.status}`, problem.detail, ...errors].filter(Boolean).join(". "));
  }
  return answer;
}

function table(caption, columns, rows) {
  if (!rows.length) return element("p", { textContent: "None." });
  const head = element("tr", {}, ...columns.map((one) => element("th", { scope: "col", textContent: one })));
  const body = rows.map((cells) => element("tr", {}, ...cells.map((one) => element("td", {}, one ?? ""))));
  return element("table", {}, element("caption", { textContent: caption }), element("thead", {}, head),
    element("tbody", {}, ...body));
}

const spelled = (instant) => (instant ? instant.replace("T", " ").replace("Z", "") : "open");
const utc = (local) => (local ? new Date(`${local}Z`).toISOString() : "");

async function signIn(event) {
  const form = event.target;
  const body = new URLSearchParams(new FormData(form));
  body.set("grant_type", "client_credentials");
  const answer = await fetch("/oauth/token", { method: "POST", body, cache: "no-store" });
  const given = await answer.json();
  if (!answer.ok) throw new Error(given.error_description || given.detail || "Signing in failed.");
  form.reset();
  token = given.access_token;
  const scopes = given.scope.split(" ");
  byId("sign-in").hidden = true;
  byId("leave").hidden = false;
  if (scopes.includes("coverage:read")) {
    byId("coverage").hidden = false;
    byId("coverage-title").focus();
    await list(COVERS);
  }
  if (scopes.includes("bordereau:read")) await list(BORDEREAUX);
  if (scopes.includes("claims:write")) await list(CLAIMS);
}

function leave() {
  token = null;
  for (const one of document.querySelectorAll("main > section")) one.hidden = one.id !== "sign-in";
  for (const one of document.querySelectorAll(".list, .picture, #answer")) one.replaceChildren();
  byId("leave").hidden = true;
  document.querySelector("#sign-in input").focus();
}

async function lookUp(event) {
  const { car, country, at, as_of } = Object.fromEntries(new FormData(event.target));
  const which = country ? { plate: car, country: country.toUpperCase() } : { vin: car.toUpperCase() };
  const found = await (await ask("coverage", { ...which, at: utc(at), as_of: utc(as_of) })).json();
  const lines = [["Covered", found.covered], ["At, UTC", spelled(found.at)], ["As known at, UTC", spelled(found.as_of)],
    ["Held by", found.holder === "owner" ? "the owner" : found.holder && "a driver under your cover"],
    ["Policy", found.policy_number], ["Driver", found.driver ? found.driver.name : found.driver_ref],
    ["Also insured", (found.named_drivers ?? []).map((one) => one.driver?.name ?? one.driver_ref).join(", ")]];
  const shown = lines.filter(([, value]) => value)
    .flatMap(([name, value]) => [element("dt", { textContent: name }), element("dd", { textContent: value })]);
  byId("answer").replaceChildren(element("dl", {}, ...shown));
  if (found.cover) byId("answer").append(button("Show its life", found.cover.id, () => life(found.cover.id)));
  say(`Covered: ${found.covered}.`);
}

async function life(cover) {
  const [picture, told] = await Promise.all([ask(`covers/${cover}/timeline.svg`, {}, "image/svg+xml"), ask(`covers/${cover}/events`)]);
  const items = (await told.json()).items;
  const image = element("img", { alt: `The versions of cover ${cover}; the table below says the same.` });
  const address = URL.createObjectURL(await picture.blob());
  image.onload = () => URL.revokeObjectURL(address);
  image.src = address;
  document.querySelector("#life .picture").replaceChildren(image);
  const rows = items.map(({ version, kind, cover: one }) => [String(version), kind, one.state, spelled(one.recorded_at),
    spelled(one.liability.from), spelled(one.liability.to), spelled(one.own_damage.to), spelled(one.planned.to)]);
  document.querySelector("#life .list").replaceChildren(table(`Cover ${cover}, times in UTC`,
    ["Version", "What", "State", "Recorded", "From", "Liability to", "Own damage to", "Planned to"], rows));
  byId("life").hidden = false;
  byId("life-title").focus();
}

async function download(one, media, end) {
  const query = { kind: one.kind, policy_number: one.policy_number };
  const answer = await ask(`bordereaux/${one.month}`, query, media);
  const address = URL.createObjectURL(await answer.blob());
  element("a", { href: address, download: `${one.kind}-${one.month}.${end}` }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60000);
}

const COVERS = {
  id: "covers", path: "covers", caption: "Newest first, times in UTC",
  columns: ["Plate", "State", "From", "To", "Policy", ""],
  row: (one) => [one.car.plate, one.state, spelled(one.from), spelled(one.to), one.master_policy.number,
    button("Show its life", `${one.car.plate}, ${one.from}`, () => life(one.id))],
};
const BORDEREAUX = {
  id: "bordereaux", path: "bordereaux", caption: "The last one first",
  columns: ["Month", "Kind", "Policy", "Lines", "", ""],
  row: (one) => [one.month, one.kind, one.policy_number, String(one.lines),
    button("CSV", `${one.kind} ${one.month}`, () => download(one, "text/csv", "csv")),
    button("JSON", `${one.kind} ${one.month}`, () => download(one, "application/json", "json"))],
};
const CLAIMS = {
  id: "claims", path: "claims", caption: "Newest first, times in UTC",
  columns: ["Reference", "Status", "Occurred", "Paid", "In reserve", ""],
  row: (one) => [one.reference, one.status, spelled(one.occurred_at), amounts(one.paid, one.currency), amounts(one.reserve, one.currency),
    button("Show its cover", one.reference, () => life(one.cover))],
};

// Amounts come in minor units: how many of them make one is the currency's.
function amounts(given, currency) {
  const form = new Intl.NumberFormat("en", { style: "currency", currency });
  const minor = 10 ** form.resolvedOptions().maximumFractionDigits;
  return ["indemnity", "fees"].map((part) => `${part} ${form.format(given[part] / minor)}`).join(", ");
}

async function list(what, cursor = "", before = []) {
  const found = await (await ask(what.path, { cursor, limit: 20 })).json();
  const rows = before.concat(found.items.map(what.row));
  const section = byId(what.id);
  section.querySelector(".list").replaceChildren(table(what.caption, what.columns, rows));
  const more = section.querySelector(".more");
  more.hidden = !found.next_cursor;
  more.onclick = guarded(() => list(what, found.next_cursor, rows));
  section.hidden = false;
}

document.querySelector("#sign-in form").addEventListener("submit", guarded(signIn));
document.querySelector("#coverage form").addEventListener("submit", guarded(lookUp));
byId("leave").addEventListener("click", () => { leave(); say("Signed out."); });
