// Talking to the server. A refusal becomes an Error whose message is meant for the reviewer.

let csrf = "";

export function useCsrf(token) { csrf = token; }

export class Unreachable extends Error {}

async function call(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { credentials: "same-origin", ...options });
  } catch {
    throw new Unreachable("The server does not answer. Is the command that printed its address still running?");
  }
  if (response.ok) return response;
  const text = await response.text();
  let message = text;
  try { message = JSON.parse(text).message || text; } catch { /* a plain sentence */ }
  throw new Error(message || `the server answered ${response.status}`);
}

export async function get(path) { return (await call(path)).json(); }

export async function getBlob(path) { return (await call(path)).blob(); }

export async function post(path, body) {
  const headers = { "content-type": "application/json", "x-csrf": csrf };
  return (await call(path, { method: "POST", headers, body: JSON.stringify(body) })).json();
}

export async function postPicture(path, blob) {
  const headers = { "content-type": "application/octet-stream", "x-csrf": csrf };
  return (await call(path, { method: "POST", headers, body: blob })).json();
}
