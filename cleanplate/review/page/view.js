// Draws a question. Names come from the data folder and are never more than text.

import { showPhoto } from "./photos.js";

const $ = (id) => document.getElementById(id);
const percent = (p) => (p === null || p === undefined ? "" : `${Math.round(p * 100)} %`);

export function banner(text) {
  $("banner").hidden = !text;
  $("banner").firstElementChild.textContent = text;
}

export function drawFilters(counts, filter, onPick) {
  $("filters").replaceChildren(...counts.map(([field, open]) => {
    const small = document.createElement("small");
    small.textContent = String(open);
    const button = pressed(field, field === filter, () => onPick(field));
    button.append(small);
    return button;
  }));
}

export function drawProgress(done, all, perMinute) {
  $("bar").max = Math.max(all, 1);
  $("bar").value = done;
  const parts = [`${done} of ${all}`];
  if (perMinute) {
    const minutes = (all - done) / perMinute;
    const left = minutes < 1 ? `${Math.ceil(minutes * 60)} s` : `${Math.ceil(minutes)} min`;
    parts.push(`${Math.round(perMinute)} a minute`);
    if (all > done) parts.push(`about ${left} left`);
  }
  $("pace").textContent = all ? parts.join(" · ") : "";
}

function pressed(text, on, onClick) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = text;
  button.setAttribute("aria-pressed", String(on));
  button.onclick = onClick;
  return button;
}

// question: see page.js; person: as the server sends it, or undefined while it is on its way
export function drawQuestion(question, person, session, selected, actions) {
  $("review").hidden = false;
  $("done").hidden = true;
  const browsing = question.number === null;
  $("rank").textContent = browsing ? "Looked up" : `Suspect ${question.place} of ${question.of}`;
  $("name").textContent = question.name;
  $("fields").hidden = !browsing;
  $("fields").replaceChildren(...(browsing ? Object.keys(session.fields) : []).map(
    (field) => pressed(field, field === question.field, () => actions.field(field))));
  $("label-term").textContent = `Label: ${question.field}`;
  $("old").textContent = question.old;
  $("model").hidden = !question.proposed;
  $("proposed").textContent = question.proposed;
  $("confidence").textContent = percent(question.confidence);
  $("why").textContent = [question.why, question.note].filter(Boolean).join("; ");
  drawDecided(question);
  document.querySelector(".accept").disabled = !question.value;
  $("accept-value").textContent = question.value;
  $("keep-value").textContent = question.old;
  drawValues(question, session, actions);
  $("heat").hidden = !session.heatmaps;
  drawStrip(question, person, selected, actions);
}

function drawDecided(question) {
  const row = question.decided;
  $("decided").hidden = !row;
  if (!row) return;
  const words = { keep: `kept ${row.value}`, drop: "dropped", correct: `${row.field} is ${row.value}` }[row.kind];
  const place = [row.source, row.where].filter(Boolean).join(", ");
  $("decided").textContent = `Decided: ${words}${place ? ` (${place})` : ""}`;
}

function drawValues(question, session, actions) {
  const values = session.fields[question.field] || [];
  $("years").hidden = question.field !== "age";
  const about = `${question.person} ${question.field}`;
  if ($("years").dataset.about !== about) { // not while somebody types and an answer to something else comes in
    $("years").dataset.about = about;
    $("age").value = "";
    $("age").blur();
  }
  $("values").hidden = !values.length;
  $("values").replaceChildren(...values.map((value, k) => {
    const button = document.createElement("button");
    const key = document.createElement("kbd");
    button.type = "button";
    key.textContent = String(k + 1);
    button.append(key, value);
    button.onclick = () => actions.value(value);
    return button;
  }));
}

function drawStrip(question, person, selected, actions) {
  const dropped = new Set((person?.rows || []).filter((r) => r.kind === "drop").flatMap((r) => r.photos));
  $("strip").replaceChildren(...(person?.photos || []).map((photo) => {
    const item = document.createElement("li");
    const button = document.createElement("button");
    const img = document.createElement("img");
    const text = document.createElement("span");
    button.type = "button";
    img.alt = "";
    showPhoto(img, `/photo/${photo.id}`, { onError: (message) => { text.textContent = message; } });
    text.textContent = photo.name.replace(/\.[^.]+$/, "");
    button.title = `${photo.name}: mask ${photo.mask}`;
    button.setAttribute("aria-current", String(photo.id === selected));
    button.classList.toggle("asked", photo.id === question.photo);
    button.classList.toggle("dropped", dropped.has(photo.id));
    button.append(img, text);
    button.onclick = () => actions.select(photo.id);
    item.append(button);
    return item;
  }));
}

export function drawPhoto(photo, heat, field) {
  const img = $("photo");
  if (!photo) {
    img.removeAttribute("src");
    img.dataset.address = "";
    $("caption").textContent = "";
    return;
  }
  const say = (text) => { $("caption").textContent = `${photo.name}: ${text}`; };
  const plain = `/photo/${photo.id}`;
  if (!heat) {
    say(`mask ${photo.mask}, ${photo.gender}, ${photo.age}`);
    showPhoto(img, plain, { onError: say });
    return;
  }
  showPhoto(img, `/heatmap/${photo.id}?field=${encodeURIComponent(field)}`, {
    meanwhile: plain, // the first map takes seconds: the model is loaded
    onWait: () => say("asking the model where it looked …"),
    onShown: () => say(`where the model looked, ${field}`),
    onError: say,
  });
}

export function drawDone(title, text) {
  $("review").hidden = true;
  $("done").hidden = false;
  $("done-title").textContent = title;
  $("done-text").textContent = text;
}
