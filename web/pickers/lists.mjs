// Lists in the combos of models, LoRAs, ControlNets and other files: what the connected server has.
import { catalogOf, known, onCatalog } from '../lib/catalogs.mjs'
import {
  choicesOf,
  chosenIn,
  labelOf,
  learnMarks,
  listInputs,
  markOf,
  mayBeNone,
  NONE,
} from '../lib/choices.mjs'
import { redraw, setComboValues } from '../lib/faces.mjs'
import { allNodes, isOurs, onGraphChange, serverRef, upstream, widgetOf } from '../lib/graph.mjs'
import { openBrowser } from './browser_dialog.mjs'
import { makeSearchable } from './menu_filter.mjs'
import { asOneStep, setValues } from '../lib/recipe.mjs'
import { fill, sectionButton, words } from '../lib/strip.mjs'
import { t } from '../lib/text.mjs'

/** Menus of more entries open slowly; the rest is in the browser dialog. */
const LIMIT = 500

/** @type {WeakMap<object, string>} what each combo shows */
const shown = new WeakMap()

/**
 * @param {any} widget
 * @param {string[]} values
 * @param {Map<string, string>} labels
 */
function show(widget, values, labels) {
  const signature = JSON.stringify([values, [...labels]])
  const now = widget.options?.values
  const kept = Array.isArray(now) && now.length === values.length && now.at(-1) === values.at(-1)
  if (kept && widget.options.getOptionLabel && shown.get(widget) === signature) return
  shown.set(widget, signature)
  setComboValues(widget, values, (value) => labels.get(value) ?? value)
}

/**
 * @param {any} node
 * @param {string} input
 */
function updateInput(node, input) {
  const { choices, catalog } = choicesOf(node, input)
  const from = upstream(node, input)
  const primitive = from?.type === 'PrimitiveNode' ? from.widgets?.[0] : undefined
  for (const widget of [widgetOf(node, input), primitive]) {
    if (!widget) continue
    /** @type {Map<string, string>} */
    const labels = new Map()
    if (mayBeNone(node, input)) labels.set(NONE, t('pickers.none'))
    for (const choice of choices.slice(0, LIMIT)) labels.set(choice.value, labelOf(choice))
    const chosen = widget.value
    if (typeof chosen === 'string' && chosen && !labels.has(chosen)) {
      const beyond = choices.find((choice) => choice.value === chosen)
      const unlisted = catalog?.known ? `${chosen} · ${t('pickers.not_listed')}` : chosen
      labels.set(chosen, beyond ? labelOf(beyond) : unlisted)
    }
    show(widget, [...labels.keys()], labels)
  }
}

/**
 * What the node itself says: what does not fit, a weight to take over, the way to the dialog.
 * @param {any} node
 */
function tell(node) {
  const lines = []
  for (const input of listInputs(node)) {
    const value = chosenIn(node, input)
    const choice = choicesOf(node, input).choices.find((one) => one.value === value)
    if (!choice) continue
    const { name, reason } = choice
    if (reason) lines.push(warning(t('pickers.skipped', { name, reason })))
    else if (!choice.installed) lines.push(warning(t('pickers.absent', { name })))
    else if (markOf(node, input) === 'loras') lines.push(...weightOffer(node, input, value))
  }
  const buttons = document.createElement('div')
  buttons.className = 'dt-line'
  const browse = () => openBrowser(node)
  buttons.append(sectionButton(t('pickers.browse'), browse, t('pickers.browse_means')))
  fill(node, 'fit', ...lines, buttons)
}

/** @param {string} text */
function warning(text) {
  const line = document.createElement('div')
  line.className = 'dt-line dt-fair'
  const icon = document.createElement('i')
  icon.className = 'pi pi-exclamation-triangle'
  line.append(icon, words(text))
  return line
}

/**
 * @param {any} node
 * @param {string} input
 * @param {string} file
 * @returns {HTMLElement[]} a button, if the LoRA's own weight is another than the row's
 */
function weightOffer(node, input, file) {
  const entry = known(serverRef(node))?.loras.find((lora) => lora.file === file)
  const weight = entry?.described_weight
  const widget = widgetOf(node, input.replace('lora', 'weight'))
  if (typeof weight !== 'number' || !widget || widget.value === weight) return []
  if (widgetOf(node, 'own_weights')?.value === true) return []
  const name = entry?.name ?? file
  const line = document.createElement('div')
  line.className = 'dt-line'
  line.append(
    words(name, 'text'),
    sectionButton(
      t('pickers.use_weight', { weight }),
      () => asOneStep(() => setValues(node, { [widget.name]: weight })),
      t('pickers.use_weight_means', { name }),
    ),
  )
  return [line]
}

/** @type {WeakMap<object, string>} */
const told = new WeakMap()

/** @param {any} node */
function update(node) {
  const inputs = listInputs(node)
  if (!inputs.length) return
  for (const input of inputs) updateInput(node, input)
  const values = (node.widgets ?? []).map((/** @type {any} */ widget) => widget.value ?? null)
  const lists = inputs.map((input) => shown.get(widgetOf(node, input)))
  const signature = JSON.stringify([values.map(String), lists])
  if (told.get(node) === signature) return
  told.set(node, signature)
  tell(node)
}

function updateAll() {
  for (const node of allNodes()) update(node)
  redraw()
}

/** Ask the servers of this workflow for their lists again. */
function askAgain() {
  const refs = new Map(allNodes().map((node) => [JSON.stringify(serverRef(node)), serverRef(node)]))
  return Promise.all([...refs.values()].map((ref) => catalogOf(ref, true)))
}

/** @type {import('@comfyorg/comfyui-frontend-types').ComfyExtension} */
export const pickers = {
  name: 'drawthingsnodes.pickers',
  beforeRegisterNodeDef(_nodeType, definition) {
    learnMarks(definition)
  },
  nodeCreated(created) {
    const node = /** @type {any} */ (created)
    if (!isOurs(node) || !listInputs(node).length) return
    for (const input of listInputs(node)) makeSearchable(widgetOf(node, input))
    const configured = node.onConfigure
    node.onConfigure = function (/** @type {any[]} */ ...values) {
      const result = configured?.apply(this, values)
      // At once: ComfyUI takes a model file that its combo does not list for missing.
      for (const input of listInputs(node)) updateInput(node, input)
      return result
    }
  },
  afterConfigureGraph() {
    updateAll()
  },
  refreshComboInNodes() {
    updateAll()
    return askAgain().then(updateAll)
  },
  setup() {
    onGraphChange(updateAll)
    onCatalog(updateAll)
  },
}
