// stand-in
import { el, fill } from "./dom.js";
export function mount(root, context) {
  fill(root, el("p", {}, `${context.models.length} models`));
  return { show() {}, hide() {} };
}
