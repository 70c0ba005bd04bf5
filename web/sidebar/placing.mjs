// What an entry of a server's list becomes on the canvas: a value of a node, or a node of its own.
import { app } from '../../../scripts/app.js'
import { chosenIn, listInputs, markOf, NONE } from '../lib/choices.mjs'
import { serverRef, upstream, widgetOf } from '../lib/graph.mjs'
import { addRecipe, asOneStep, middle, setValues } from '../lib/recipe.mjs'
import { t } from '../lib/text.mjs'

const STEP = 40 // px between nodes that would lie on each other
const GAP = 60 // px between a new node and the one that it feeds
const TITLE = 30

/**
 * @typedef {import('../lib/choices.mjs').Mark} Mark
 * @typedef {import('../lib/graph.mjs').ServerRef} ServerRef
 * @typedef {{ mark: Mark, value: string, name: string, server: ServerRef }} Entry server: null
 *   for the default one
 * @typedef {{ node: any, input: string, kind: 'value' | 'link' | 'canvas' }} Target node: null for
 *   the empty canvas; input: a combo, or a socket that a new node is to feed
 */

/** @type {Partial<Record<Mark, { type: string, input: string, socket: string }>>} */
const HOMES = {
  models: { type: 'DTModelLoader', input: 'model', socket: 'DT_MODEL' },
  loras: { type: 'DTLoRA', input: 'lora', socket: 'DT_LORA' },
  controls: { type: 'DTControlNet', input: 'control', socket: 'DT_CONTROL' },
  upscalers: { type: 'DTUpscalerOptions', input: 'upscaler', socket: 'DT_OPTIONS' },
  face_restorers: { type: 'DTUpscalerOptions', input: 'face_restoration', socket: 'DT_OPTIONS' },
  embeddings: { type: 'DTPrompt', input: 'embedding', socket: '' },
}

/** @param {Mark} mark */
function homeOf(mark) {
  return /** @type {{ type: string, input: string, socket: string }} */ (HOMES[mark])
}

/**
 * @param {any} node
 * @param {Entry} entry
 * @returns {string | undefined} the combo that may take it: the first free one, or the only one
 */
function comboFor(node, entry) {
  const fitting = listInputs(node).filter((input) => {
    const mark = markOf(node, input)
    return mark === entry.mark || (mark === 'refiners' && entry.mark === 'models')
  })
  const holding = fitting.find((input) => chosenIn(node, input) === entry.value)
  const free = fitting.find((input) => isFree(node, input))
  return holding ?? free ?? (fitting.length === 1 ? fitting[0] : undefined)
}

/**
 * @param {any} node
 * @param {string} input
 */
function isFree(node, input) {
  return chosenIn(node, input) === NONE && !widgetOf(node, fieldOf(input))?.value
}

/**
 * @param {string} input of a list
 * @returns {string} the field beside it, for files that the list does not have
 */
function fieldOf(input) {
  const [, name, number = ''] = /** @type {RegExpMatchArray} */ (input.match(/^(.*?)(_\d)?$/))
  return `${name}_file${number}`
}

/**
 * @param {any} under the node below the mouse, or null
 * @param {Entry} entry
 * @returns {Target}
 */
export function targetOf(under, entry) {
  const empty = { node: null, input: '', kind: /** @type {const} */ ('canvas') }
  if (!under) return empty
  const combo = comboFor(under, entry)
  if (combo) return { node: under, input: combo, kind: 'value' }
  const { socket } = homeOf(entry.mark)
  const inputs = /** @type {any[]} */ (under.inputs ?? [])
  const slot = inputs.find((input) => socket && input.type === socket)
  if (!slot) return empty
  if (slot.link === null || slot.link === undefined) {
    return { node: under, input: slot.name, kind: 'link' }
  }
  const feeding = upstream(under, slot.name)
  const free = feeding ? comboFor(feeding, entry) : undefined
  return feeding && free ? { node: feeding, input: free, kind: 'value' } : empty
}

/**
 * @param {Target} target
 * @param {Entry} entry
 * @returns {string} what will happen
 */
export function wordsFor(target, entry) {
  const litegraph = /** @type {any} */ (globalThis).LiteGraph
  const { type } = homeOf(entry.mark)
  const made = litegraph.registered_node_types[type]?.title ?? type
  const { node, input, kind } = target
  if (kind === 'canvas') return t('sidebar.drop_new', { node: made })
  const title = node.title || node.type
  if (kind === 'link') return t('sidebar.drop_link', { node: made, target: title })
  return t('sidebar.drop_set', { input: widgetOf(node, input)?.label ?? input, node: title })
}

/**
 * Do it, as one undo step.
 * @param {Target} target
 * @param {Entry} entry
 * @param {ArrayLike<number>} place of the mouse, in px of the canvas
 */
export function placeEntry(target, entry, place) {
  const { node, input, kind } = target
  if (kind === 'value') {
    const field = fieldOf(input)
    const typed = widgetOf(node, field)?.value ? { [field]: '' } : {} // it would win
    asOneStep(() => setValues(node, { [input]: entry.value, ...typed }))
    return
  }
  if (kind === 'canvas') {
    asOneStep(() => addNode(entry, [place[0], place[1]]))
    return
  }
  asOneStep(() => {
    const made = addNode(entry, [node.pos[0], node.pos[1]])
    if (!made) return
    made.pos = [node.pos[0] - made.size[0] - GAP, freeBeside(node, made)]
    const slot = (node.inputs ?? []).findIndex((/** @type {any} */ one) => one.name === input)
    made.connect(0, node, slot)
  })
}

/**
 * @param {any} node
 * @param {any} made the node that goes to its left
 * @returns {number} a height where no other node lies
 */
function freeBeside(node, made) {
  const left = node.pos[0] - made.size[0] - GAP
  const others = /** @type {any[]} */ (made.graph._nodes).filter((other) => other !== made)
  let y = node.pos[1]
  for (let moved = true; moved; ) {
    moved = false
    for (const { pos, size } of others) {
      const apart =
        pos[0] > left + made.size[0] ||
        pos[0] + size[0] < left ||
        pos[1] - TITLE > y + made.size[1] ||
        pos[1] + size[1] < y - TITLE
      if (apart) continue
      y = pos[1] + size[1] + TITLE + STEP
      moved = true
    }
  }
  return y
}

/**
 * Put it where the user looks, without a mouse: into a selected node that has a free place
 * for it, else as a node in the middle. Nothing is replaced.
 * @param {Entry} entry
 */
export function addEntry(entry) {
  const canvas = /** @type {any} */ (app.canvas)
  const [only, ...more] = Object.values(canvas.selected_nodes ?? {})
  const combo = only && !more.length ? comboFor(only, entry) : undefined
  if (combo && isFree(only, combo)) {
    placeEntry({ node: only, input: combo, kind: 'value' }, entry, [0, 0])
    return
  }
  const place = middle()
  const graph = canvas.graph ?? app.graph
  const { type } = homeOf(entry.mark)
  place[0] -= (graph._nodes.find((/** @type {any} */ one) => one.type === type)?.size[0] ?? 0) / 2
  while (isTaken(graph, place)) {
    place[0] += STEP
    place[1] += STEP
  }
  placeEntry(targetOf(null, entry), entry, place)
}

/**
 * @param {any} graph
 * @param {ArrayLike<number>} place
 */
function isTaken(graph, place) {
  return graph._nodes.some(
    (/** @type {any} */ { pos }) =>
      Math.abs(pos[0] - place[0]) < STEP && Math.abs(pos[1] - place[1]) < STEP,
  )
}

/**
 * @param {any} node a DT Server
 * @param {NonNullable<ServerRef>} server
 */
function means(node, server) {
  const ref = serverRef(node)
  if (!ref || 'saved' in ref || 'saved' in server) {
    return ref !== null && 'saved' in ref && 'saved' in server && ref.saved === server.saved
  }
  return ref.address === server.address && ref.tls === server.tls
}

/**
 * A node that holds the entry, and for a model of another server than the default one the
 * DT Server that tells so: one that is there, or a new one.
 * @param {Entry} entry
 * @param {[number, number]} place
 * @returns {any}
 */
function addNode(entry, place) {
  const { type, input } = homeOf(entry.mark)
  const part = { id: 'entry', type, values: { [input]: entry.value } }
  const { server } = entry
  if (entry.mark !== 'models' || !server) {
    return addRecipe({ nodes: [part], links: [] }, [place[0], place[1] - TITLE])[0]
  }
  const graph = /** @type {any} */ (app.canvas).graph ?? app.graph
  const there = graph._nodes.find(
    (/** @type {any} */ node) => node.comfyClass === 'DTServer' && means(node, server),
  )
  if (there) {
    const [loader] = addRecipe({ nodes: [part], links: [] }, [place[0], place[1] - TITLE])
    const slot = loader.inputs.findIndex((/** @type {any} */ one) => one.name === 'server')
    there.connect(0, loader, slot)
    return loader
  }
  const values = 'saved' in server ? { saved_server: server.saved } : server
  const nodes = [{ id: 'server', type: 'DTServer', values }, part]
  const links = /** @type {import('../lib/recipe.mjs').Link[]} */ ([['server', 0, 'entry', 'server']])
  const [source, loader] = addRecipe({ nodes, links }, [place[0], place[1] - TITLE])
  const moved = loader.pos[0] - place[0] // the column of DT Server
  source.pos = [source.pos[0] - moved, source.pos[1]]
  loader.pos = [place[0], loader.pos[1]]
  return loader
}
