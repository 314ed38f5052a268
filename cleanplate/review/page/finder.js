// Looking up any person by a part of the name.

import { get } from "./server_calls.js";

const SHOWN = 60;
const dialog = document.getElementById("finder");
const query = document.getElementById("query");
const list = document.getElementById("found");
const count = document.getElementById("found-count");
let people = null;
let chosen = 0;
let matches = [];

export async function openFinder(onPick) {
  dialog.showModal();
  query.value = "";
  query.focus();
  people ??= await get("/api/people");
  render(onPick);
  query.oninput = () => { chosen = 0; render(onPick); };
  dialog.onkeydown = (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      chosen = Math.max(0, Math.min(Math.min(matches.length, SHOWN) - 1, chosen + step));
      mark();
    } else if (event.key === "Enter" && matches[chosen]) pick(matches[chosen], onPick);
    else return;
    event.preventDefault();
  };
}

function plain(text) { return text.normalize("NFC").toLowerCase(); }

function pick(person, onPick) { dialog.close(); onPick(person[0]); }

function render(onPick) {
  const words = plain(query.value).split(/\s+/).filter(Boolean);
  matches = people.filter(([, name]) => words.every((word) => plain(name).includes(word)));
  list.replaceChildren(...matches.slice(0, SHOWN).map((person) => {
    const item = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    button.tabIndex = -1;
    button.textContent = person[1];
    button.onclick = () => pick(person, onPick);
    item.append(button);
    return item;
  }));
  count.textContent = `${matches.length} of ${people.length} people`;
  mark();
}

function mark() {
  [...list.children].forEach((item, k) => {
    item.setAttribute("aria-selected", String(k === chosen));
    if (k === chosen) item.scrollIntoView({ block: "nearest" });
  });
}
