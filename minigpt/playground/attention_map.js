// One head's attention as a picture: row t is who looks, column s is who is looked at, and the
// darker the more. What is later cannot be looked at, so it is a triangle.

import { el } from "./dom.js";

const INK = [74, 71, 196]; // on a light ground; attention.css inverts the picture in the dark

// Draw a head's (T, T) bytes, a pixel each; the style makes it as large as it shall be.
export function attentionMap(weights, size) {
  const canvas = el("canvas", { width: size, height: size, "aria-hidden": "true" });
  const context = canvas.getContext("2d");
  const image = context.createImageData(size, size);
  for (let i = 0; i < size * size; i++) {
    image.data.set(INK, 4 * i);
    image.data[4 * i + 3] = 255 * (weights[i] / 255) ** 0.4; // so that small weights are seen, too
  }
  context.putImageData(image, 0, 0);
  return canvas;
}
