// Decisions go to the server one after another while the reviewer looks at the next person already.

import { post, Unreachable } from "./server_calls.js";

const STORE = "receipts"; // survives a reload of this tab
let chain = Promise.resolve();
let waiting = 0;
const moments = []; // of decisions in this tab, for the pace

export const pending = () => waiting;

export function receipts() {
  try { return JSON.parse(sessionStorage.getItem(STORE)) || []; } catch { return []; }
}

function keepReceipts(list) { sessionStorage.setItem(STORE, JSON.stringify(list.slice(-500))); }

// Runs `job` after those before it; tries again for as long as the server does not answer.
export function enqueue(job, onTrouble) {
  waiting += 1;
  const run = async () => {
    try {
      for (;;) {
        try { return await job(); } catch (error) {
          if (!(error instanceof Unreachable)) throw error;
          onTrouble(error, true);
          await new Promise((resolve) => setTimeout(resolve, 1000));
        }
      }
    } catch (error) {
      onTrouble(error, false);
      return null;
    } finally { waiting -= 1; }
  };
  chain = chain.then(run);
  return chain;
}

export async function decide(body, question) {
  const receipt = [...crypto.getRandomValues(new Uint8Array(8))].map((b) => b.toString(16).padStart(2, "0")).join("");
  keepReceipts([...receipts(), { receipt, ...question }]); // before the answer: a reload may come in between
  let answer;
  try {
    answer = await post("/api/decide", { ...body, receipt });
  } catch (error) {
    keepReceipts(receipts().filter((r) => r.receipt !== receipt));
    throw error;
  }
  moments.push(performance.now());
  return answer;
}

export async function undo() {
  const list = receipts();
  const last = list.pop();
  if (!last) throw new Error("There is nothing to undo in this tab.");
  keepReceipts(list);
  moments.pop();
  return { last, answer: await post("/api/undo", { receipt: last.receipt }) };
}

// Decisions a minute over the last thirty, or 0 while there are too few to tell.
export function pace() {
  const recent = moments.slice(-30);
  if (recent.length < 3) return 0;
  const minutes = (recent[recent.length - 1] - recent[0]) / 60000;
  return minutes > 0 ? (recent.length - 1) / minutes : 0;
}

addEventListener("beforeunload", (event) => { if (waiting) event.preventDefault(); });
