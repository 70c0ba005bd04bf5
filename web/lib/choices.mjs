// What one input of one node may name: the lists of its server, in order, with what does not fit.
import { catalogOf, known } from './catalogs.mjs'
import { modelNodeOf, serverRef, widgetOf, widgetValue } from './graph.mjs'
import { t } from './text.mjs'

/**
 * @typedef {import('./catalogs.mjs').Entry} Entry
 * @typedef {import('./catalogs.mjs').Catalog} Catalog
 * @typedef {'models' | 'refiners' | 'loras' | 'controls' | 'upscalers' | 'face_restorers'
 *   | 'embeddings'} Mark what a combo of ours lists
 * @typedef {{ value: string, name: string, family: string, reason: string, installed: boolean,
 *   rank: number }} Choice rank: 0 fits, 1 fits but is not on the server, 2 does not fit
 */

const MARK = 'drawthings_list'
export const NONE = 'none'
/** Lists that tell of families, and of which a model takes only some. */
const JUDGED = ['refiners', 'loras', 'controls', 'embeddings']

/** @type {Map<string, Map<string, { mark: Mark, options: string[] }>>} */
const marked = new Map()

/**
 * Learn from a node definition which of its inputs are lists of the server.
 * @param {any} definition as ComfyUI's backend tells it
 */
export function learnMarks(definition) {
  /** @type {Map<string, { mark: Mark, options: string[] }>} */
  const found = new Map()
  for (const inputs of [definition?.input?.required, definition?.input?.optional]) {
    for (const [name, spec] of Object.entries(inputs ?? {})) {
      const [type, more] = /** @type {[any, any]} */ (spec)
      const mark = more?.[MARK]
      if (!mark) continue
      const options = Array.isArray(type) ? type : (more.options ?? [])
      found.set(name, { mark, options: options.map(String) })
    }
  }
  if (found.size) marked.set(definition.name, found)
}

/**
 * @param {any} node
 * @returns {string[]} its inputs that are lists of the server
 */
export function listInputs(node) {
  return [...(marked.get(node?.comfyClass)?.keys() ?? [])]
}

/**
 * @param {any} node
 * @param {string} input
 * @returns {Mark | undefined}
 */
export function markOf(node, input) {
  return marked.get(node.comfyClass)?.get(input)?.mark
}

/**
 * @param {Catalog | undefined} catalog
 * @param {Mark} mark
 * @returns {Entry[]}
 */
function entriesOf(catalog, mark) {
  return (catalog?.known && catalog[mark === 'refiners' ? 'models' : mark]) || []
}

/**
 * @param {any} node
 * @param {Catalog | undefined} catalog
 * @returns {Entry | undefined} the model that counts for the node, if the server described it
 */
export function modelOf(node, catalog) {
  const loader = modelNodeOf(node)
  if (!loader) return undefined
  const typed = String(widgetValue(loader, 'model_file') ?? '').trim()
  const file = typed || widgetValue(loader, 'model')
  return entriesOf(catalog, 'models').find((entry) => entry.file === file)
}

/**
 * @param {Entry} entry
 * @param {Mark} mark
 * @param {Entry | undefined} model
 * @param {Catalog} catalog
 * @returns {string} why the model cannot use it; "" if it can, or nobody knows
 */
function reasonAgainst(entry, mark, model, catalog) {
  if (!model?.family || !entry.family || !JUDGED.includes(mark)) return ''
  if (mark === 'refiners') {
    if (entry.file === model.file) return t('pickers.is_the_model')
    const fitting = catalog.refiners?.[model.family]
    if (!fitting || fitting.includes(entry.family)) return ''
    return t('pickers.no_refiner_for', { family: model.family_name })
  }
  if (entry.family === model.family) return ''
  return t('pickers.other_family', { family: entry.family_name, model: model.family_name })
}

/**
 * @param {Choice} one
 * @param {Choice} other
 */
function inOrder(one, other) {
  return (
    one.rank - other.rank ||
    collator.compare(one.family, other.family) ||
    collator.compare(one.name, other.name)
  )
}

const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: 'base' })

/**
 * @param {any} node
 * @param {string} input
 * @returns {{ choices: Choice[], catalog: Catalog | undefined, model: Entry | undefined }} by
 *   what its server told last; the values of the node definition where it told nothing
 */
export function choicesOf(node, input) {
  const mark = markOf(node, input)
  const ref = serverRef(node)
  const catalog = known(ref)
  if (!catalog) void catalogOf(ref)
  const model = modelOf(node, catalog)
  if (!mark) return { choices: [], catalog, model }
  if (!catalog?.known || !(entriesOf(catalog, mark).length || catalog.browsable)) {
    return { choices: fromDefinition(node, input), catalog, model }
  }
  return { choices: judged(catalog, mark, model), catalog, model }
}

/**
 * @param {Catalog | undefined} catalog
 * @param {Mark} mark
 * @returns {Choice[]} all that a server has of that kind, in order; no model judges them
 */
export function allChoices(catalog, mark) {
  return catalog?.known ? judged(catalog, mark, undefined) : []
}

/** @type {WeakMap<Catalog, Map<string, Choice[]>>} */
const made = new WeakMap()

/**
 * @param {Catalog} catalog
 * @param {Mark} mark
 * @param {Entry | undefined} model
 * @returns {Choice[]} in order; made once for all nodes, as a list may have thousands
 */
function judged(catalog, mark, model) {
  const ofCatalog = made.get(catalog) ?? new Map()
  made.set(catalog, ofCatalog)
  const key = `${mark} ${model?.file ?? ''}`
  const choices =
    ofCatalog.get(key) ??
    entriesOf(catalog, mark)
      .map((entry) => choiceOf(entry, mark, model, catalog))
      .sort(inOrder)
  ofCatalog.set(key, choices)
  return choices
}

/**
 * @param {Entry} entry
 * @param {Mark} mark
 * @param {Entry | undefined} model
 * @param {Catalog} catalog
 * @returns {Choice}
 */
function choiceOf(entry, mark, model, catalog) {
  const reason = reasonAgainst(entry, mark, model, catalog)
  const value = mark === 'embeddings' ? (entry.keyword ?? entry.file) : entry.file
  const rank = reason ? 2 : entry.installed ? 0 : 1
  const family = entry.family_name ?? ''
  return { value, name: entry.name || value, family, reason, installed: entry.installed, rank }
}

/**
 * @param {any} node
 * @param {string} input
 * @returns {Choice[]}
 */
function fromDefinition(node, input) {
  const options = marked.get(node.comfyClass)?.get(input)?.options ?? []
  return options
    .filter((value) => value !== NONE)
    .map((value) => ({ value, name: value, family: '', reason: '', installed: true, rank: 0 }))
}

/**
 * @param {any} node
 * @param {string} input
 * @returns {boolean} whether "none" may be chosen
 */
export function mayBeNone(node, input) {
  return marked.get(node.comfyClass)?.get(input)?.options.includes(NONE) ?? false
}

/**
 * @param {Choice} choice
 * @returns {string} the one line that a combo has for it
 */
export function labelOf(choice) {
  const parts = [choice.name]
  if (choice.reason) parts.push(choice.reason)
  else if (choice.family) parts.push(choice.family)
  if (!choice.installed) parts.push(t('pickers.not_on_server'))
  return parts.join(' · ')
}

/**
 * @param {any} node
 * @param {string} input
 * @returns {string} what its combo holds
 */
export function chosenIn(node, input) {
  const value = widgetOf(node, input)?.value
  return typeof value === 'string' ? value : ''
}
