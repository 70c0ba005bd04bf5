// Seeds that are drawn on the page are those that a server takes. The nodes accept larger ones, of
// 64 bits, from links and programs, and fold them.
import { isOurs, widgetOf } from '../lib/graph.mjs'

const LOWEST = -1 // a random one
const HIGHEST = 0xffffffff

/** @type {import('@comfyorg/comfyui-frontend-types').ComfyExtension} */
export const seedRange = {
  name: 'drawthingsnodes.seed_range',
  nodeCreated(node) {
    const seed = isOurs(node) && widgetOf(node, 'seed')
    if (seed) Object.assign(seed.options, { min: LOWEST, max: HIGHEST })
  },
}
