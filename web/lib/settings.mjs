// Which widgets of ours are generation settings, and what is chosen in them.
import { modelNodeOf, samplersOf, upstream, widgetOf, widgetValue } from './graph.mjs'

const MARK = 'drawthings_setting' // of an input, put there by the backend
const DEPTH = 50

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
 * @returns {any} the first sampler that it finally feeds, or itself
 */
export function samplerOf(node) {
  return samplersOf(node)[0] ?? null
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
 * What is chosen for the picture that a node takes part in: on the sampler, and over that on
 * the options nodes before it.
 * @param {any} node of ours
 * @returns {{ values: Record<string, unknown>, unknown: string[] }} by setting, and those whose
 *   value only a run can tell
 */
export function chosenValues(node) {
  const sampler = samplerOf(node)
  /** @type {any[]} */
  const chain = []
  for (let at = sampler && upstream(sampler, 'options'); at && chain.length < DEPTH; ) {
    chain.unshift(at)
    at = upstream(at, 'options')
  }
  /** @type {Record<string, unknown>} */
  const values = {}
  const unknown = new Set()
  for (const place of new Set([sampler, ...chain, node])) {
    if (!place) continue
    for (const [input, setting] of settingsOf(place)) {
      const value = widgetValue(place, input)
      if (value === undefined) unknown.add(setting)
      // An empty file name leaves the choice to the list; shift 0 is automatic.
      else if (value !== '' && !(input === 'shift' && value === 0)) values[setting] = value
    }
  }
  return { values, unknown: [...unknown] }
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
