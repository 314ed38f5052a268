// The page: a picture from a file, the clipboard or the camera goes to the server, and its answers are shown.

import { get, postPicture, useCsrf } from "/page/server_calls.js";
import { count, drawBoxes, showPeople, spoken } from "/page/answers.js";
import { Camera } from "/page/camera.js";

const $ = (id) => document.getElementById(id);
const state = { blob: null, backgrounds: ["own"], background: "own", map: false, asked: 0, shown: 0, words: "" };
const camera = new Camera($("video"));
const AT_ONCE = 2; // camera pictures on the way: the next is taken and sent while the last is answered

function tell(text) { $("status").textContent = text; }
function warn(text) { $("banner").textContent = text; $("banner").hidden = !text; }

async function look(blob, picture, live = false) {
  const number = ++state.asked;
  const mapped = state.map && !live ? "&mapped=true" : "";
  const { people } = await postPicture(`/api/look?background=${state.background}&live=${live}${mapped}`, blob);
  if (number < state.shown || (live && !camera.running)) return null; // later than a later picture's answer
  state.shown = number;
  $("hint").hidden = true;
  drawBoxes($("picture"), picture, people);
  showPeople($("people"), people);
  picture.close();
  for (const id of ["swap", "map"]) $(id).disabled = id === "swap" && state.backgrounds.length < 2;
  return people;
}

async function show(blob) {
  if (!blob) return;
  stopCamera();
  tell("Looking …");
  const start = performance.now();
  try {
    const people = await look(blob, await createImageBitmap(blob, { imageOrientation: "from-image" }));
    if (!people) return;
    state.blob = blob;
    warn("");
    tell(`${count(people)}, ${Math.round(performance.now() - start)} ms`);
    $("spoken").textContent = spoken(people);
  } catch (error) {
    tell("");
    warn(error instanceof DOMException ? "This is no picture that can be shown: use a JPEG or PNG." : error.message);
  }
}

async function startCamera() {
  try {
    await camera.start();
  } catch (error) {
    warn(`The camera cannot be used (${error.name}). Allow it in the address bar, or drop a photo.`);
    return;
  }
  warn("");
  $("camera").setAttribute("aria-pressed", "true");
  state.words = "";
  const times = [];
  await Promise.all(Array.from({ length: AT_ONCE }, () => answerCamera(times)));
}

async function answerCamera(times) {
  while (camera.running) {
    try {
      const { blob, bitmap } = await camera.picture();
      const people = await look(blob, bitmap, true);
      if (!people) continue;
      state.blob = blob;
      times.push(performance.now());
      if (times.length > 15) times.shift();
      const rate = times.length > 1 ? (1000 * (times.length - 1)) / (times.at(-1) - times[0]) : 0;
      tell(`Camera: ${count(people)}, ${rate.toFixed(1)} pictures/s`);
      const words = people.map((p) => Object.values(p.tasks).map((t) => t.values[t.best])).join();
      if (words !== state.words) $("spoken").textContent = spoken(people); // said once, not with every picture
      state.words = words;
    } catch (error) {
      if (camera.running) warn(error.message);
      stopCamera();
    }
  }
}

function stopCamera() {
  camera.stop();
  $("camera").setAttribute("aria-pressed", "false");
}

const actions = {
  o: () => $("file").click(),
  c: () => {
    if (!camera.running) return startCamera();
    stopCamera();
    return tell("Camera off");
  },
  b: () => {
    const next = (state.backgrounds.indexOf(state.background) + 1) % state.backgrounds.length;
    state.background = state.backgrounds[next];
    $("background").textContent = state.background;
    return camera.running ? null : show(state.blob);
  },
  w: () => {
    state.map = !state.map;
    $("map").setAttribute("aria-pressed", String(state.map));
    return show(state.blob);
  },
};
const buttons = { open: "o", camera: "c", swap: "b", map: "w" };

for (const [id, key] of Object.entries(buttons)) $(id).addEventListener("click", () => actions[key]());
$("file").addEventListener("change", ({ target }) => {
  const [file] = target.files;
  target.value = ""; // or the same photo could not be chosen again
  show(file);
});
addEventListener("keydown", (event) => {
  const id = Object.keys(buttons).find((name) => buttons[name] === event.key.toLowerCase());
  if (event.ctrlKey || event.metaKey || event.altKey || !id || $(id).disabled) return;
  event.preventDefault();
  actions[buttons[id]]();
});
addEventListener("paste", (event) => show([...event.clipboardData.files].find((f) => f.type.startsWith("image/"))));
for (const name of ["dragover", "dragleave", "drop"]) {
  addEventListener(name, (event) => {
    event.preventDefault();
    $("frame").classList.toggle("over", name === "dragover");
    if (name === "drop") show(event.dataTransfer.files[0]);
  });
}

const session = await get("/api/session");
useCsrf(session.csrf);
state.backgrounds = session.backgrounds;
history.replaceState(null, "", "/");
tell("Ready");
