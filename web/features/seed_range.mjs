// Seeds that are drawn on the page are those that a server takes. The nodes accept larger ones, of
// 64 bits, from links and programs, and fold them.

const LOWEST = -1 // a random one
const HIGHEST = 0xffffffff

/** @type {import('@comfyorg/comfyui-frontend-types').ComfyExtension} */
export const seedRange = {
  name: 'DrawThings.SeedRange',
  nodeCreated(/** @type {any} */ node) {
    if (!/^DT[A-Z]/.test(node.comfyClass ?? '')) return
    const seed = node.widgets?.find((/** @type {any} */ widget) => widget.name === 'seed')
    if (seed) Object.assign(seed.options, { min: LOWEST, max: HIGHEST })
  },
}
