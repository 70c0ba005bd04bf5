// Dims what has no effect for the chosen model and sampler, and says why. Comfort only: a
// dimmed widget keeps and sends its value.
import { app } from '../../../scripts/app.js'
import { call } from '../lib/backend.mjs'
import { onCatalog } from '../lib/catalogs.mjs'
import { hideWidget, redraw, refit } from '../lib/faces.mjs'
import { allNodes, onGraphChange, serverRef, upstream } from '../lib/graph.mjs'
import { chosenValues, learnSettings, modelFileOf, settingsOf, samplerOf } from '../lib/settings.mjs'
import { fill, words } from '../lib/strip.mjs'
import { t } from '../lib/text.mjs'

const SETTING = 'drawthingsnodes.without_effect' // dim, fold or show
const NEGATIVE = 'negative_prompt'
const KEPT = 300 // answers

/** @typedef {{ family: string, idle: Record<string, string> }} Effects */

/** @type {Map<string, Promise<Effects>>} */
const answers = new Map()
/** @type {WeakMap<object, { disabled: boolean, tooltip: string | undefined }>} as they were */
const dimmed = new WeakMap()
/** @type {WeakSet<object>} */
const folded = new WeakSet()
/** @type {WeakMap<object, string>} what was asked last for a node */
const latest = new WeakMap()

/**
 * @param {Record<string, unknown>} question
 * @returns {Promise<Effects>} never rejects
 */
function effectsOf(question) {
  const key = JSON.stringify(question)
  const known = answers.get(key)
  if (known) return known
  if (answers.size >= KEPT) answers.clear()
  const answer = call('/effects', question).catch(() => {
    answers.delete(key) // ask again next time
    return { family: '', idle: {} }
  })
  answers.set(key, answer)
  return answer
}

/**
 * @param {any} widget
 * @param {string} reason "" gives the widget back
 */
function dim(widget, reason) {
  const before = dimmed.get(widget)
  if (!reason) {
    if (!before) return
    dimmed.delete(widget)
    widget.disabled = before.disabled
    widget.options = { ...widget.options, disabled: before.disabled }
    widget.tooltip = before.tooltip
    return
  }
  if (!before) dimmed.set(widget, { disabled: Boolean(widget.disabled), tooltip: widget.tooltip })
  const tooltip = dimmed.get(widget)?.tooltip
  widget.disabled = true
  widget.options = { ...widget.options, disabled: true }
  widget.tooltip = [t('matters.no_effect', { reason }), tooltip].filter(Boolean).join('\n')
}

/**
 * @param {any} node
 * @param {Effects} effects
 */
function apply(node, effects) {
  const way = app.extensionManager.setting?.get(/** @type {any} */ (SETTING)) ?? 'dim'
  const reasons = []
  let moved = false
  for (const [input, setting] of settingsOf(node)) {
    const widget = node.widgets?.find((/** @type {any} */ one) => one.name === input)
    if (!widget) continue
    const reason = effects.idle[setting] ?? ''
    if (reason) reasons.push(`${widget.label ?? widget.name}: ${reason}`)
    dim(widget, way === 'show' ? '' : reason)
    const fold = way === 'fold' && Boolean(reason)
    if (fold !== folded.has(widget)) {
      if (fold) folded.add(widget)
      else folded.delete(widget)
      moved = hideWidget(widget, fold) || moved
    }
  }
  const negative = node.comfyClass === 'DTSampler' && upstream(node, 'negative')
  if (negative && effects.idle[NEGATIVE]) {
    reasons.push(t('matters.negative', { reason: effects.idle[NEGATIVE] }))
  }
  tell(node, effects.family, reasons)
  if (moved) refit(node, true)
  redraw()
}

/**
 * @param {any} node
 * @param {string} family
 * @param {string[]} reasons
 */
function tell(node, family, reasons) {
  if (!reasons.length) {
    fill(node, 'matters')
    return
  }
  const count = reasons.length
  const details = document.createElement('details')
  details.className = 'dt-details'
  const summary = document.createElement('summary')
  summary.textContent = t(count === 1 ? 'matters.one' : 'matters.many', { count, family })
  // The canvas below would start to drag the node.
  summary.addEventListener('pointerdown', (event) => event.stopPropagation())
  details.append(summary, ...reasons.map((reason) => words(reason, 'reason')))
  details.open = Boolean(node.widgets && opened.has(node))
  details.addEventListener('toggle', () => {
    if (details.open) opened.add(node)
    else opened.delete(node)
  })
  fill(node, 'matters', details)
}

/** @type {WeakSet<object>} nodes whose reasons are unfolded */
const opened = new WeakSet()

/** @param {any} node */
async function update(node) {
  const model = modelFileOf(node)
  const sampler = samplerOf(node)
  const question = {
    server: serverRef(node),
    model,
    ...chosenValues(node),
    image: Boolean(sampler && upstream(sampler, 'image')),
  }
  const key = JSON.stringify(question)
  latest.set(node, key)
  const effects = model ? await effectsOf(question) : { family: '', idle: {} }
  if (latest.get(node) === key) apply(node, effects)
}

function updateAll() {
  for (const node of allNodes()) if (settingsOf(node).length) void update(node)
}

/** @type {import('@comfyorg/comfyui-frontend-types').ComfyExtension} */
export const matters = {
  name: 'drawthingsnodes.matters',
  beforeRegisterNodeDef(_type, definition) {
    learnSettings(definition)
  },
  setup() {
    onGraphChange(updateAll)
    onCatalog(() => {
      answers.clear() // a model's description may say more now
      updateAll()
    })
  },
}
