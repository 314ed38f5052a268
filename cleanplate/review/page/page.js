// The review page: which question is on screen, and what the keys do.

import { decide, enqueue, pace, pending, receipts, undo } from "./decisions.js";
import { openFinder } from "./finder.js";
import { fetchPhoto } from "./photos.js";
import { get, useCsrf } from "./server_calls.js";
import { banner, drawDone, drawFilters, drawPhoto, drawProgress, drawQuestion } from "./view.js";

const AHEAD = 4; // suspects whose photos are fetched before they are asked for
const people = new Map(); // id -> person, as the server last sent it
let session;
let filter = "all";
let current = null; // number of the suspect on screen, null = none
let looked = null; // {person, field} while looking at somebody without a suspicion
let selected = ""; // the large photo
let heat = false;

const suspects = () => session.suspects.filter((s) => filter === "all" || s.field === filter);
const open = (s) => !s.decided;

function question() {
  if (looked) return lookedUp();
  const suspect = session.suspects[current];
  const list = suspects();
  return { ...suspect, place: list.indexOf(suspect) + 1, of: list.length };
}

function lookedUp() {
  const person = people.get(looked.person);
  const field = looked.field;
  const photo = field === "mask" ? selected || person.photos[0].id : "";
  const photos = person.photos.filter((p) => !photo || p.id === photo);
  const old = [...new Set(photos.map((p) => p[field]))].sort().join(" / ");
  const about = (row) => row.field === field && (photo ? row.photos.includes(photo) : row.photos.length === person.photos.length);
  const decided = person.rows.find(about) || person.rows.find((row) => row.kind === "drop" && row.photos.length === person.photos.length) || null;
  return { number: null, person: person.id, name: person.name, photo, field, old, proposed: "", value: "", note: "", why: "", confidence: null, decided };
}

async function loadPerson(id, fresh = false) {
  if (fresh || !people.has(id)) people.set(id, await get(`/api/person/${id}`));
  return people.get(id);
}

function fetchAhead() {
  const list = suspects();
  const from = list.findIndex((s) => s.number === current);
  for (const suspect of list.slice(from + 1).filter(open).slice(0, AHEAD)) {
    loadPerson(suspect.person).then((p) => p.photos.forEach((photo) => fetchPhoto(`/photo/${photo.id}`))).catch(() => {});
  }
}

function draw() {
  const list = suspects();
  const fields = ["all", ...new Set(session.suspects.map((s) => s.field))];
  const counts = fields.map((f) => [f, session.suspects.filter((s) => open(s) && (f === "all" || s.field === f)).length]);
  drawFilters(session.suspects.length ? counts : [], filter, setFilter);
  drawProgress(list.filter((s) => !open(s)).length, list.length, pace());
  if (!looked && current === null) return drawEnd(list);
  const asked = question();
  const person = people.get(asked.person);
  if (person && !person.photos.some((p) => p.id === selected)) {
    selected = asked.photo || (person.photos.find((p) => p.mask === "none") || person.photos[0]).id;
  }
  drawQuestion(asked, person, session, selected, { field: lookAtField, select, value: correct });
  drawPhoto(person?.photos.find((p) => p.id === selected), heat, asked.field);
  document.body.dataset.shown = asked.name; // what a test waits for
  return undefined;
}

function drawEnd(list) {
  document.body.dataset.shown = "";
  if (session.suspects.length) drawDone("All settled", `${list.length} of ${list.length} ${filter === "all" ? "" : `${filter} `}suspects are decided. ← goes back, / finds a person.`);
  else drawDone("No suspects", session.note || "Press / to look at any person.");
}

async function show(number) {
  looked = null;
  heat = false;
  selected = "";
  current = number;
  draw();
  if (number === null) return;
  const suspect = session.suspects[number];
  if (!people.has(suspect.person)) {
    await loadPerson(suspect.person).catch((error) => banner(error.message));
    if (current === number && !looked) draw();
  }
  fetchAhead();
}

function next(direction = 1) {
  const list = suspects();
  const at = current === null ? (direction > 0 ? -1 : list.length) : list.findIndex((s) => s.number === current);
  if (direction < 0) return at > 0 ? show(list[at - 1].number) : undefined;
  const later = [...list.slice(at + 1), ...list.slice(0, Math.max(at, 0))].find(open);
  return show(later ? later.number : list[at] && open(list[at]) ? current : null);
}

function setFilter(field) {
  filter = field;
  const list = suspects();
  if (current !== null && !looked && list.some((s) => s.number === current && open(s))) draw();
  else show(list.find(open)?.number ?? null);
}

function cycleFilter() {
  const fields = looked ? Object.keys(session.fields) : ["all", ...new Set(session.suspects.map((s) => s.field))];
  const following = fields[(fields.indexOf(looked ? looked.field : filter) + 1) % fields.length];
  if (looked) lookAtField(following); else setFilter(following);
}

async function lookAt(person) {
  try { await loadPerson(person, true); } catch (error) { return banner(error.message); }
  looked = { person, field: "gender" };
  heat = false;
  selected = "";
  return draw();
}

function lookAtField(field) { looked.field = field; draw(); }

function select(id) { selected = id; draw(); }

function selectNext(step) {
  const photos = people.get(question().person)?.photos || [];
  const at = photos.findIndex((p) => p.id === selected);
  if (photos.length) select(photos[(at + step + photos.length) % photos.length].id);
}

function settle(action, { value = "", photo, field, whole = false } = {}) {
  if (!looked && current === null) return;
  const asked = question();
  const body = { person: asked.person, photo: whole ? "" : photo ?? asked.photo, field: field ?? asked.field, action, value };
  if (asked.number !== null) body.suspect = asked.number;
  const answers = action !== "drop" || whole || body.photo === asked.photo;
  if (asked.number !== null && answers) {
    session.suspects[asked.number].decided = { kind: action, field: body.field, value, source: "being written", where: "" };
  }
  enqueue(async () => {
    body.version = (await loadPerson(asked.person)).version;
    apply(await decide(body, { number: asked.number, person: asked.person, field: asked.field }));
  }, (error, again) => trouble(error, again, asked));
  if (asked.number !== null && answers) next(); else draw();
}

function apply(answer) {
  people.set(answer.person.id, answer.person);
  for (const suspect of answer.suspects) session.suspects[suspect.number] = suspect;
  if (document.getElementById("banner").dataset.offline) { delete document.getElementById("banner").dataset.offline; banner(""); }
  draw();
}

async function trouble(error, again, asked) {
  banner(again ? `${error.message} ${pending()} decision(s) wait to be written.` : error.message);
  if (again) { document.getElementById("banner").dataset.offline = "1"; return; }
  await refresh();
  await loadPerson(asked.person, true).catch(() => {});
  if (asked.number !== null) show(asked.number); else draw();
}

async function refresh() {
  try {
    session.suspects = (await get("/api/session")).suspects;
    const id = looked ? looked.person : session.suspects[current]?.person;
    people.clear(); // versions may be old
    if (id) await loadPerson(id);
    draw();
  } catch (error) { banner(error.message); }
}

function accept() {
  const asked = question();
  if (asked.field === "drop") settle("drop", { photo: asked.photo, whole: !asked.photo });
  else if (asked.value) settle("correct", { value: asked.value });
  else if (asked.field === "age") document.getElementById("age").focus();
}

function correct(value) {
  if (value === question().old) settle("keep", { value }); else settle("correct", { value });
}

function undoLast() {
  if (!receipts().length && !pending()) return banner("There is nothing to undo in this tab.");
  return enqueue(async () => {
    const { last, answer } = await undo();
    apply(answer);
    if (last.number !== null) await show(last.number); else { await lookAt(last.person); lookAtField(last.field); }
  }, (error) => { banner(error.message); refresh(); });
}

function toggleHeat() { if (session.heatmaps) { heat = !heat; draw(); } }

const KEYS = {
  a: accept,
  k: () => settle("keep", { value: question().old }),
  d: () => settle("drop", { photo: selected, field: "drop" }),
  D: () => settle("drop", { field: "drop", whole: true }),
  u: undoLast, n: () => next(1), ArrowRight: () => next(1), ArrowLeft: () => (looked ? show(current) : next(-1)),
  ArrowDown: () => selectNext(1), ArrowUp: () => selectNext(-1),
  g: toggleHeat, f: cycleFilter, "/": () => openFinder(lookAt), "?": () => document.getElementById("help").showModal(),
  Escape: () => { if (looked) show(current ?? suspects().find(open)?.number ?? null); else banner(""); },
};
const ALWAYS = new Set(["/", "?", "f", "u", "ArrowLeft", "Escape"]);

function press(key) {
  const shown = looked || current !== null;
  const digit = shown && /^[0-9]$/.test(key) ? key : "";
  const values = digit ? session.fields[question().field] || [] : [];
  if (digit && values[digit - 1]) return correct(values[digit - 1]);
  if (digit && question().field === "age") {
    document.getElementById("age").focus();
    document.getElementById("age").value = digit;
    return undefined;
  }
  const action = KEYS[key] || KEYS[key.toLowerCase()];
  return action && (shown || ALWAYS.has(key)) ? action() : undefined;
}

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.target.id === "age") { if (event.key === "Escape") event.target.blur(); return; }
  if (event.target.tagName === "BUTTON" && (event.key === "Enter" || event.key === " ")) return;
  if (event.repeat && !event.key.startsWith("Arrow")) return; // a key held down is one decision
  const key = event.shiftKey || event.key.length > 1 ? event.key : event.key.toLowerCase(); // caps lock is no Shift
  if (KEYS[key] || KEYS[key.toLowerCase()] || /^[0-9]$/.test(key)) { event.preventDefault(); press(key); }
});
document.querySelectorAll("[data-key]").forEach((b) => b.addEventListener("click", () => { b.blur(); press(b.dataset.key); }));
document.querySelector("#banner button").addEventListener("click", () => banner(""));
document.getElementById("years").addEventListener("submit", (event) => {
  event.preventDefault();
  const years = document.getElementById("age").value.trim();
  document.getElementById("age").blur();
  document.getElementById("age").value = "";
  if (years) correct(years);
});
document.querySelectorAll("dialog").forEach((d) => d.addEventListener("click", (event) => { if (event.target === d) d.close(); }));
addEventListener("focus", () => { if (session && !pending()) refresh(); });

async function start() {
  history.replaceState(null, "", "/"); // the token is in the cookie now
  try { session = await get("/api/session"); } catch (error) { return banner(error.message); }
  useCsrf(session.csrf);
  banner(session.suspects.length ? session.note : "");
  return show(session.suspects.find(open)?.number ?? null);
}

start();
