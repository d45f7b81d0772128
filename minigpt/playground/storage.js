// The browser's storage, which may be full, or not allowed at all. Then nothing is kept, and the
// page works all the same. All tabs share what is kept, but of what the page is at each tab has its
// own, and a new one begins where the last one was.

// Give the text that is kept under a key, or null.
export function read(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null; // SecurityError: the browser keeps nothing for this page
  }
}

// Keep a text; give whether there was room.
export function write(key, text) {
  try {
    localStorage.setItem(key, text);
    return true;
  } catch {
    return false; // QuotaExceededError, or SecurityError
  }
}

export function erase(key) {
  try {
    localStorage.removeItem(key);
  } catch {
    // where nothing may be kept, nothing is there
  }
}

// Give the keys of all that is kept.
export function keys() {
  try {
    return Object.keys(localStorage);
  } catch {
    return [];
  }
}

// Give what this tab keeps under a key, before it keeps anything what any tab kept last, or null.
export function readOfTab(key) {
  try {
    return sessionStorage.getItem(key) ?? read(key);
  } catch {
    return read(key);
  }
}

// Give what this tab alone keeps under a key, or "".
export function readHere(key) {
  try {
    return sessionStorage.getItem(key) ?? "";
  } catch {
    return "";
  }
}

// Keep a text for this tab alone, as long as it is open.
export function writeHere(key, text) {
  try {
    sessionStorage.setItem(key, text);
  } catch {
    // then it is gone when the page is loaded again
  }
}

// Keep a text for this tab, and for those that are opened from now on.
export function writeOfTab(key, text) {
  try {
    sessionStorage.setItem(key, text);
  } catch {
    // then only other tabs that come later know
  }
  write(key, text);
}
