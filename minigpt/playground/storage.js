// The browser's storage, which may be full, or not allowed at all. Then nothing is kept, and the
// page works all the same.

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
