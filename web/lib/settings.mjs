// Which widgets of ours are generation settings, and what is chosen for a sampler.
import { isLinked, modelNodeOf, serverRef, upstream, widgetOf, widgetValue } from './graph.mjs'

const MARK = 'drawthings_setting' // of an input, put there by the backend
const DEPTH = 50
const ANYTHING = '*' // among the unknown
const LORA_ROWS = ['', '_2', '_3', '_4']

/** Sockets of a sampler that may feed nothing, by the backend's names. */
const SOCKETS = {
  negative: 'negative_prompt',
  image: 'image',
  mask: 'mask',
  reference: 'reference',
  control: 'control',
}

/**
 * What the backend is asked: layers of values by setting, the sampler's first, or what a
 * DT Config holds.
 * @typedef {{
 *   server: import('./graph.mjs').ServerRef, model: string, layers: Record<string, unknown>[],
 *   loras: string[], connected: string[], unknown: string[]
 * }} Question
 */

/** @type {Map<string, Map<string, string>>} node class → input → setting */
const marked = new Map()

/**
 * Learn from a node definition which of its inputs are settings.
 * @param {any} definition as ComfyUI's backend tells it
 */
export function learnSettings(definition) {
  const found = new Map()
  for (const inputs of [definition?.input?.required, definition?.input?.optional]) {
    for (const [name, spec] of Object.entries(inputs ?? {})) {
      const more = /** @type {any} */ (spec)[1]
      if (more?.[MARK]) found.set(name, more[MARK])
    }
  }
  if (found.size) marked.set(definition.name, found)
}

/**
 * @param {any} node
 * @returns {[input: string, setting: string][]}
 */
export function settingsOf(node) {
  return [...(marked.get(node?.comfyClass) ?? [])]
}

/**
 * @param {any} node of ours
 * @returns {string} the file of the model that counts for it; "" if only a run can tell
 */
export function modelFileOf(node) {
  const loader = modelNodeOf(node)
  if (!loader) return ''
  const typed = widgetValue(loader, 'model_file')
  const listed = widgetValue(loader, 'model')
  return String((typeof typed === 'string' && typed.trim()) || (listed ?? ''))
}

/**
 * The nodes that feed an input, each through the same kind of input of the next.
 * @param {any} node
 * @param {string} first input of the node
 * @param {string} then input of those before
 * @param {string[]} [kinds] of nodes that are understood; otherwise those with settings
 * @returns {{ nodes: any[], whole: boolean }} from the first to the last; whether that is all
 */
function chain(node, first, then, kinds) {
  const nodes = []
  let input = first
  for (let at = node; isLinked(at, input) && nodes.length < DEPTH; input = then) {
    at = upstream(at, input)
    const known = kinds ? kinds.includes(at?.comfyClass) : isOptions(at)
    if (!known) return { nodes, whole: false }
    nodes.unshift(at)
  }
  return { nodes, whole: true }
}

/** @param {any} node */
function isOptions(node) {
  return node?.comfyClass === 'DTConfig' || marked.has(node?.comfyClass)
}

/**
 * @param {any} sampler
 * @returns {{ nodes: any[], whole: boolean }} the options nodes before it
 */
export function optionsOf(sampler) {
  return chain(sampler, 'options', 'options')
}

/**
 * What is chosen for the pictures of a sampler: on itself, and over that on its options nodes.
 * @param {any} sampler or an upscale node
 * @returns {Question}
 */
export function questionOf(sampler) {
  const options = optionsOf(sampler)
  /** @type {Set<string>} */
  const unknown = new Set(options.whole ? [] : [ANYTHING])
  const layers = [sampler, ...options.nodes].map((node) =>
    node.comfyClass === 'DTConfig' ? configOf(node, unknown) : layerOf(node, unknown),
  )
  const loras = lorasOf(sampler)
  if (!loras) unknown.add('lora')
  const connected = []
  for (const [input, name] of Object.entries(SOCKETS)) {
    if (!isLinked(sampler, input)) continue
    if (upstream(sampler, input)) connected.push(name)
    else unknown.add(name)
  }
  // What a control works on only its own node knows.
  if (connected.includes('control')) unknown.add('control')
  return {
    server: serverRef(sampler),
    model: modelFileOf(sampler),
    layers,
    loras: loras ?? [],
    connected,
    unknown: [...unknown],
  }
}

/**
 * @param {any} node with settings
 * @param {Set<string>} unknown settings whose value only a run can tell: filled, and freed of
 *   those that this node knows
 * @returns {Record<string, unknown>} by setting
 */
function layerOf(node, unknown) {
  /** @type {Record<string, unknown>} */
  const values = {}
  for (const [input, setting] of settingsOf(node)) {
    const value = widgetValue(node, input)
    if (value === undefined) unknown.add(setting)
    // An empty file name leaves the choice to the list; shift 0 is automatic.
    else if (value !== '' && !(input === 'shift' && value === 0)) {
      values[setting] = value
      unknown.delete(setting)
    }
  }
  return values
}

/**
 * @param {any} node a DT Config
 * @param {Set<string>} unknown
 * @returns {Record<string, unknown>}
 */
function configOf(node, unknown) {
  const names = ['configuration', 'use_size', 'use_seed', 'use_model']
  const values = Object.fromEntries(names.map((name) => [name, widgetValue(node, name)]))
  if (Object.values(values).every((value) => value !== undefined)) return values
  unknown.add(ANYTHING)
  return {}
}

/**
 * @param {any} sampler
 * @returns {string[] | null} the LoRAs that act on it; null if only a run can tell
 */
function lorasOf(sampler) {
  const { nodes, whole } = chain(sampler, 'lora', 'lora_stack', ['DTLoRA'])
  if (!whole) return null
  const files = []
  for (const node of nodes) {
    for (const row of LORA_ROWS) {
      const value = (/** @type {string} */ name) => widgetValue(node, `${name}${row}`)
      const parts = ['lora', 'lora_file', 'on', 'weight'].map(value)
      if (parts.includes(undefined)) return null
      const [listed, typed, on, weight] = parts
      const file = String(typed ?? '').trim() || (listed === 'none' ? '' : String(listed))
      const own = widgetValue(node, 'own_weights') === true
      if (file && on && (own || weight !== 0)) files.push(file)
    }
  }
  return files
}

/**
 * @param {any} node
 * @param {string} setting
 * @returns {any} the widget of that setting, or undefined
 */
export function widgetFor(node, setting) {
  const input = settingsOf(node).find(([, name]) => name === setting)?.[0]
  return input === undefined ? undefined : widgetOf(node, input)
}
