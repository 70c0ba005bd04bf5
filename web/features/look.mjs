// Colours and first sizes of our nodes, colours of our sockets.
import { app } from '../../../scripts/app.js'

const COLORS = 'drawthingsnodes.node_colors'
const TITLE = '#2b4a58'
const BODY = '#26343c'
const SOCKETS = {
  DT_SERVER: '#8fa3ad',
  DT_MODEL: '#5aa9e6',
  DT_LORA: '#e6a15a',
  DT_CONTROL: '#5fc9a8',
  DT_REFERENCE: '#c78be0',
  DT_OPTIONS: '#d9c65a',
  DT_MASK: '#7fc96b',
  DT_STITCH: '#e07f9d',
  DT_GENERATION: '#6f8fe8',
}
const WIDTH = 315 // px; the longest of our labels and a value beside it
/** @type {Record<string, [number, number]>} px; those with a text box */
const SIZES = {
  DTPrompt: [400, 240],
  DTConfig: [400, 300],
  DTTextEncoderOptions: [400, 460],
  DTSampler: [330, 0],
}

/** @param {any} node */
const isOurs = (node) => /^DT[A-Z]/.test(node.comfyClass ?? '')

/**
 * Give a node our colours where it has none, or take ours away.
 * @param {any} node
 * @param {boolean} on
 */
function paint(node, on) {
  if (on && !node.color && !node.bgcolor) {
    node.color = TITLE
    node.bgcolor = BODY
  } else if (!on && node.color === TITLE && node.bgcolor === BODY) {
    node.color = undefined // the newest front end keeps it elsewhere: delete does nothing
    node.bgcolor = undefined
  }
}

/**
 * Ours are no choice of the user's, so they are not saved.
 * @param {any} node
 */
function keepOutOfFiles(node) {
  const before = node.onSerialize
  node.onSerialize = function (/** @type {any} */ saved) {
    before?.call(this, saved)
    if (saved.color === TITLE && saved.bgcolor === BODY) {
      delete saved.color
      delete saved.bgcolor
    }
  }
}

/** The classic canvas; Nodes 2.0 reads style/nodes.css. A new colour theme empties both tables. */
function paintSockets() {
  const canvas = /** @type {any} */ (app.canvas)
  if (!canvas) return
  Object.assign(canvas.default_connection_color_byType, SOCKETS)
  Object.assign(canvas.constructor.link_type_colors, SOCKETS)
  canvas.setDirty(true, true)
}

/** @returns {boolean} */
function wantsColors() {
  return /** @type {any} */ (app.extensionManager)?.setting?.get(COLORS) !== false
}

/** @param {boolean} on */
export function paintAll(on) {
  const graph = /** @type {any} */ (app).graph
  const graphs = graph ? [graph, ...(graph.subgraphs?.values() ?? [])] : []
  for (const each of graphs) {
    for (const node of each._nodes ?? []) if (isOurs(node)) paint(node, on)
  }
  app.canvas?.setDirty(true, true)
}

/** @type {import('@comfyorg/comfyui-frontend-types').ComfyExtension} */
export const look = {
  name: 'drawthingsnodes.look',
  setup() {
    paintSockets()
    const settings = /** @type {any} */ (app.ui?.settings)
    settings?.addEventListener?.('Comfy.ColorPalette.change', () => setTimeout(paintSockets))
  },
  nodeCreated(created) {
    const node = /** @type {any} */ (created)
    if (!isOurs(node)) return
    keepOutOfFiles(node)
    paint(node, wantsColors())
    const [width, height] = SIZES[node.comfyClass] ?? [WIDTH, 0]
    node.setSize([Math.max(node.size[0], width), Math.max(node.size[1], height)])
  },
  afterConfigureGraph() {
    paintSockets()
  },
}
