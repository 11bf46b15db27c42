/** Bytes as a text that gets out of the page at once; an array of numbers takes seconds. */
export function base64({
  buffer
}: Float32Array<ArrayBuffer> | Uint8ClampedArray<ArrayBuffer>): string {
  const bytes = new Uint8Array(buffer);
  let text = '';
  for (let i = 0; i < bytes.length; i += 8192) {
    text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  }
  return btoa(text);
}
