// Puts a described group of nodes on the canvas: laid out from left to right, as one undo step.
import { app } from '../../../scripts/app.js'
import { redraw } from './faces.mjs'
import { isLinked } from './links.mjs'

const GAP_X = 60 // px of the canvas
const GAP_Y = 40
const FILLED = 0.8 // of the view, where it has to zoom out
const TITLE = 30
const LOOK_MS = 150
const LOOK_FOR_MS = 8000 // how long lines may still come that make nodes taller
const STILL_WITHIN_MS = 900 // for sizes that are only known once nodes are drawn
// For lines that come once the server answers; what is taller may use half of the gap.
const ROOM = { DTModelLoader: 140, DTServer: 60, DTLoRA: 120, DTSampler: 60 }
const VUE_GROWTH = 1.15 // nodes drawn by Vue are taller than LiteGraph measures

/**
 * @typedef {{ id: string, type: string, title?: string, values?: Record<string, unknown> }} Part
 * @typedef {[from: string, output: string | number, to: string, input: string]} Link
 * @typedef {{ nodes: Part[], links: Link[] }} Recipe
 */

/** @returns {any} */
function litegraph() {
  return /** @type {any} */ (globalThis).LiteGraph
}

/**
 * Do something to the graph that one undo takes back.
 * @template T
 * @param {() => T} change
 * @returns {T}
 */
export function asOneStep(change) {
  const canvas = /** @type {any} */ (app.canvas)
  canvas.emitBeforeChange?.()
  try {
    return change()
  } finally {
    canvas.emitAfterChange?.()
    canvas.setDirty(true, true)
  }
}

/**
 * @param {any} node
 * @param {Record<string, unknown>} values by widget name; unknown names are left out, and inputs
 *   whose value comes by a link
 * @returns {string[]} the names that were set
 */
export function setValues(node, values) {
  const set = []
  for (const widget of node.widgets ?? []) {
    if (!Object.hasOwn(values, widget.name) || isLinked(node, widget.name)) continue
    widget.value = values[widget.name]
    widget.callback?.(widget.value, app.canvas, node)
    set.push(widget.name)
  }
  return set
}

/**
 * How many links lie between a node and the last one that it feeds.
 * @param {Recipe} recipe
 * @returns {Map<string, number>}
 */
function distances(recipe) {
  const found = new Map(recipe.nodes.map((part) => [part.id, 0]))
  for (let round = 0; round < recipe.nodes.length; round++) {
    let changed = false
    for (const [from, , to] of recipe.links) {
      const wanted = (found.get(to) ?? 0) + 1
      if (wanted <= (found.get(from) ?? 0)) continue
      found.set(from, wanted)
      changed = true
    }
    if (!changed) break
  }
  return found
}

/**
 * @param {Map<string, any>} nodes
 * @returns {Map<string, number>} what each needs at least, px
 */
function heights(nodes) {
  const measure = (/** @type {any} */ node) =>
    Math.max(node.size[1], node.computeSize?.()[1] ?? 0)
  return new Map([...nodes].map(([id, node]) => [id, measure(node)]))
}

/**
 * Columns by distance from the end, each stacked from the top.
 * @param {Recipe} recipe
 * @param {Map<string, any>} nodes
 * @param {ArrayLike<number>} position of the top left corner
 * @param {Map<string, number>} [first] how tall they were before lines came that take `ROOM`
 */
function layOut(recipe, nodes, position, first = heights(nodes)) {
  const now = heights(nodes)
  const distance = distances(recipe)
  const columns = Math.max(...distance.values()) + 1
  const growth = litegraph().vueNodesMode ? VUE_GROWTH : 1
  let x = position[0]
  for (let column = columns - 1; column >= 0; column--) {
    const stack = recipe.nodes.filter((part) => distance.get(part.id) === column)
    let y = position[1] + TITLE
    let width = 0
    for (const part of stack) {
      const node = nodes.get(part.id)
      if (!node) continue
      const [left, top] = [Math.round(x), Math.round(y)]
      if (node.pos[0] !== left || node.pos[1] !== top) node.pos = [left, top]
      const room = /** @type {Record<string, number>} */ (ROOM)[part.type] ?? 0
      const before = (first.get(part.id) ?? 0) * growth + room
      y += Math.max((now.get(part.id) ?? 0) - GAP_Y / 2, before) + TITLE + GAP_Y
      width = Math.max(width, node.size[0])
    }
    x += width + GAP_X
  }
}

/**
 * @param {Recipe} recipe
 * @param {Map<string, any>} nodes
 */
function connect(recipe, nodes) {
  for (const [from, output, to, input] of recipe.links) {
    const source = nodes.get(from)
    const target = nodes.get(to)
    if (!source || !target) continue
    const outputs = /** @type {{ name: string }[]} */ (source.outputs ?? [])
    const slot =
      typeof output === 'number' ? output : outputs.findIndex((one) => one.name === output)
    const inputs = /** @type {{ name: string }[]} */ (target.inputs ?? [])
    const place = inputs.findIndex((one) => one.name === input)
    if (slot >= 0 && place >= 0) source.connect(slot, target, place)
  }
}

/** @returns {[number, number]} the middle of what the canvas shows, in its own px */
export function middle() {
  const canvas = /** @type {any} */ (app.canvas)
  const [left, top, width, height] = canvas.visible_area
  return [left + width / 2, top + height / 2]
}

/**
 * Move the view, and zoom out if need be, where the nodes do not all lie within it.
 * @param {any[]} nodes
 */
function bringIntoView(nodes) {
  if (nodes.length === 0 || nodes.some((node) => !node.graph)) return
  const canvas = /** @type {any} */ (app.canvas)
  const left = Math.min(...nodes.map(({ pos }) => pos[0]))
  const top = Math.min(...nodes.map(({ pos }) => pos[1])) - TITLE
  const right = Math.max(...nodes.map(({ pos, size }) => pos[0] + size[0]))
  const bottom = Math.max(...nodes.map(({ pos, size }) => pos[1] + size[1]))
  const { ds } = canvas
  const { clientWidth, clientHeight } = canvas.canvas
  const [seenLeft, seenTop] = [-ds.offset[0], -ds.offset[1]]
  const seenRight = seenLeft + clientWidth / ds.scale
  const seenBottom = seenTop + clientHeight / ds.scale
  if (left >= seenLeft && top >= seenTop && right <= seenRight && bottom <= seenBottom) return
  const share = Math.min(clientWidth / (right - left), clientHeight / (bottom - top))
  ds.scale = Math.min(ds.scale, share * FILLED)
  ds.offset[0] = clientWidth / 2 / ds.scale - (left + right) / 2
  ds.offset[1] = clientHeight / 2 / ds.scale - (top + bottom) / 2
  canvas.setDirty(true, true)
}

/**
 * Lay out again while lines that come late make nodes taller, unless somebody moved one.
 * @param {Recipe} recipe
 * @param {Map<string, any>} nodes
 * @param {ArrayLike<number>} position
 * @param {() => void} onStill called once, when sizes are known
 */
function settle(recipe, nodes, position, onStill) {
  const all = [...nodes.values()]
  const first = heights(nodes)
  const places = () => all.map(({ pos }) => `${Math.round(pos[0])},${Math.round(pos[1])}`).join()
  const sizes = () => all.map(({ size }) => `${size[0]},${size[1]}`).join()
  const began = Date.now()
  let [put, measured] = [places(), sizes()]
  let told = false
  const tell = () => {
    if (!told) onStill()
    told = true
  }
  const look = () => {
    if (all.some((node) => !node.graph) || places() !== put) {
      tell()
      return
    }
    const still = sizes() === measured
    if (!still) {
      measured = sizes()
      layOut(recipe, nodes, position, first)
      put = places()
      bringIntoView(all)
      redraw()
    }
    const passed = Date.now() - began
    if (still || passed > STILL_WITHIN_MS) tell()
    if (passed < LOOK_FOR_MS) setTimeout(look, LOOK_MS)
  }
  setTimeout(look, LOOK_MS)
}

/**
 * Put the nodes on the canvas, connect and select them.
 * @param {Recipe} recipe
 * @param {ArrayLike<number>} [position] of the top left corner, in px of the canvas
 * @returns {any[]} the nodes, in the order of the recipe
 */
export function addRecipe(recipe, position) {
  const canvas = /** @type {any} */ (app.canvas)
  const graph = canvas.graph ?? app.graph
  const place = position ?? middle()
  /** @type {Map<string, any>} */
  const nodes = new Map()
  for (const part of recipe.nodes) {
    const node = litegraph().createNode(part.type)
    if (!node) continue
    if (part.title) node.title = part.title
    nodes.set(part.id, node)
  }
  const all = [...nodes.values()]
  layOut(recipe, nodes, place) // the first Vue renderer does not move a node that it shows
  const put = () => {
    for (const node of all) graph.add(node)
    for (const { id, values } of recipe.nodes) {
      if (nodes.has(id)) setValues(nodes.get(id), values ?? {})
    }
    connect(recipe, nodes)
    layOut(recipe, nodes, place)
    canvas.deselectAll?.()
    canvas.selectItems?.(all)
  }
  if (nodes.size > 1) {
    put()
    // One undo step that holds the places and sizes too, so it is told when they are known.
    settle(recipe, nodes, [place[0], place[1]], () => asOneStep(() => {}))
  } else asOneStep(put)
  bringIntoView(all)
  return all
}
