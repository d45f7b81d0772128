// Is the page being left? Then it is the browser that breaks off what still comes, not the server.

const STILL_HERE_MS = 1000; // a download asks the same, and the page stays

let leaving = false;

function leave() {
  leaving = true;
  setTimeout(() => (leaving = false), STILL_HERE_MS);
}

// not all browsers have both, nor is the first always in time
window.addEventListener("beforeunload", leave);
window.addEventListener("pagehide", leave);

export const isLeaving = () => leaving;
