// Note where the focus is below `root`, whose children are about to be drawn anew; give a function
// that puts it back: to what has the same data-key in the same child, or else to a button there.
export function rememberFocus(root) {
  const focused = document.activeElement;
  const i = [...root.children].findIndex((child) => child.contains(focused));
  if (i < 0) return () => {};
  return () => {
    if (root.contains(document.activeElement)) return; // whoever drew has chosen another place
    const child = root.children[Math.min(i, root.children.length - 1)];
    const { key } = focused.dataset;
    const same = key && child?.querySelector(`[data-key="${CSS.escape(key)}"]`);
    (same || child?.querySelector(":is([data-key=copy], [data-key=again]):not([hidden])"))?.focus();
  };
}
