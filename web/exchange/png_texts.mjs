// What a PNG file carries beside its pixels: only the names of its texts, for a quick choice.

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]
const TEXTS = ['tEXt', 'iTXt', 'zTXt']
const KEYWORD_LIMIT = 80 // bytes

/**
 * @param {ArrayBuffer} file
 * @returns {string[]} keywords of its text chunks; empty for what is no PNG
 */
export function textKeywords(file) {
  const bytes = new Uint8Array(file)
  if (SIGNATURE.some((byte, index) => bytes[index] !== byte)) return []
  const view = new DataView(file)
  const found = []
  let at = SIGNATURE.length
  while (at + 12 <= file.byteLength) {
    const length = view.getUint32(at)
    const kind = String.fromCharCode(...bytes.subarray(at + 4, at + 8))
    if (TEXTS.includes(kind)) {
      const head = bytes.subarray(at + 8, at + 8 + Math.min(length, KEYWORD_LIMIT))
      const end = head.indexOf(0)
      found.push(String.fromCharCode(...head.subarray(0, end < 0 ? head.length : end)))
    }
    at += 12 + length
  }
  return found
}
