// Draws what the server says about a picture: boxes over it, and a card for each person.

const COLOURS = ["#d98a1f", "#2f8f7b", "#7a5bd0", "#c2456f", "#3b7dd8", "#7f8a22"];
const TASKS = { mask: "Mask", gender: "Gender", age: "Age group" };
const WORDS = { incorrect: "wrongly", "<30": "under 30", "30-59": "30–59", ">=60": "60 +" };
const urls = [];

export function colourOf(face) { return COLOURS[face % COLOURS.length]; }

function source(base64, kind) {
  const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  const url = URL.createObjectURL(new Blob([bytes], { type: kind }));
  urls.push(url);
  return url;
}

export function drawBoxes(canvas, picture, people) {
  canvas.width = picture.width;
  canvas.height = picture.height;
  const pen = canvas.getContext("2d");
  pen.drawImage(picture, 0, 0);
  const unit = Math.max(2, Math.max(canvas.width, canvas.height) / 300);
  for (const { face, box: [x1, y1, x2, y2] } of people) {
    pen.strokeStyle = pen.fillStyle = colourOf(face);
    pen.lineWidth = unit;
    pen.strokeRect(x1, y1, x2 - x1, y2 - y1);
    pen.fillRect(x1 - unit / 2, y1, 9 * unit, 9 * unit);
    pen.fillStyle = "#fff";
    pen.font = `600 ${7 * unit}px system-ui, sans-serif`;
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.fillText(String(face + 1), x1 + 4 * unit, y1 + 4.7 * unit);
  }
  canvas.setAttribute("aria-label", people.length ? `Picture with ${count(people)}` : "Picture, nobody found");
}

export function count(people) { return people.length === 1 ? "1 person" : `${people.length} people`; }

export function spoken(people) {
  if (!people.length) return "Nobody found.";
  const one = (p) => Object.keys(TASKS).map((t) => {
    const { values, p: shares, best } = p.tasks[t];
    return `${TASKS[t]} ${WORDS[values[best]] || values[best]} ${Math.round(100 * shares[best])} percent`;
  }).join(", ");
  return people.map((p) => `Person ${p.face + 1}: ${one(p)}.`).join(" ");
}

export function showPeople(place, people) {
  urls.splice(0).forEach((url) => URL.revokeObjectURL(url));
  if (!people.length) {
    const nobody = document.createElement("p");
    nobody.textContent = "Nobody found in this picture, so nothing is answered.";
    place.replaceChildren(nobody);
    return;
  }
  place.replaceChildren(...people.map(card));
}

function card(person) {
  const made = document.getElementById("person").content.firstElementChild.cloneNode(true);
  const title = `Person ${person.face + 1}`;
  made.style.setProperty("--colour", colourOf(person.face));
  made.setAttribute("aria-label", title);
  const note = document.createElement("small");
  note.textContent = [person.face === 0 ? "the one whom the photo is about" : "",
    person.status === "found" ? "" : person.status.replaceAll("_", " ")].filter(Boolean).join(", ");
  made.querySelector("h2").append(title, note);
  put(made, "seen", person.seen, "image/jpeg", `${title}: what the network sees`);
  put(made, "matte", person.matte, "image/png", `${title}: matte, white is the person`);
  put(made, "map", person.map, "image/jpeg", `${title}: where the network looked, red is most`);
  made.querySelector("dl").append(...Object.keys(TASKS).flatMap((task) => answer(task, person.tasks[task])));
  return made;
}

function put(made, name, data, kind, label) {
  const image = made.querySelector(`.${name}`);
  const figure = image.parentElement;
  figure.hidden = !data;
  if (!data) return;
  image.src = source(data, kind);
  image.alt = label;
}

function answer(task, { values, p, best, changed }) {
  const term = document.createElement("dt");
  term.textContent = TASKS[task];
  if (changed) {
    const note = document.createElement("b");
    note.textContent = "changed by the background";
    term.append(note);
  }
  const given = document.createElement("dd");
  given.className = "bars";
  given.append(...values.map((value, k) => {
    const bar = document.createElement("div");
    bar.className = k === best ? "best" : "";
    const [fill, name, share] = ["i", "span", "span"].map((tag) => document.createElement(tag));
    fill.style.width = `${100 * p[k]}%`;
    name.textContent = WORDS[value] || value;
    share.textContent = `${Math.round(100 * p[k])}%`;
    bar.append(fill, name, share);
    return bar;
  }));
  return [term, given];
}
