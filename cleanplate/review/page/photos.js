// Photos fetched ahead of time. Pictures live in this page's memory only and go when the page goes.

import { getBlob } from "./server_calls.js";

const MOST = 420; // 60 people of seven photos
const kept = new Map(); // address -> {promise, url, image, error}

export function fetchPhoto(address) {
  let photo = kept.get(address);
  if (photo) {
    kept.delete(address); // and again at the end: the first is the one not used for longest
  } else {
    photo = { url: "", error: "" };
    photo.promise = load(address, photo);
  }
  kept.set(address, photo);
  while (kept.size > MOST) {
    const [oldest, gone] = kept.entries().next().value;
    kept.delete(oldest);
    if (gone.url) URL.revokeObjectURL(gone.url);
  }
  return photo;
}

async function load(address, photo) {
  try {
    const url = URL.createObjectURL(await getBlob(address));
    photo.image = new Image(); // holds the decoded picture
    photo.image.src = url;
    await photo.image.decode();
    photo.url = url;
  } catch (error) {
    photo.error = error.message;
    kept.delete(address); // so that it is tried again
  }
  return photo;
}

// Shows a photo in an <img> at once if it is here, else as soon as it is, unless another one is wanted by then.
// Until then there is the photo at the address `meanwhile`, if it is here; onWait and onShown are told.
export function showPhoto(img, address, { meanwhile = "", onWait, onShown, onError } = {}) {
  img.dataset.address = address;
  const photo = fetchPhoto(address);
  if (photo.url) { img.src = photo.url; onShown?.(); return; }
  const other = kept.get(meanwhile)?.url;
  if (other) img.src = other; else img.removeAttribute("src");
  onWait?.();
  photo.promise.then(() => {
    if (img.dataset.address !== address) return;
    if (photo.url) { img.src = photo.url; onShown?.(); } else onError?.(photo.error);
  });
}
