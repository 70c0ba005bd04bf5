// Dims what has no effect for the chosen model and sampler, and says why. Comfort only: a
// dimmed widget keeps and sends its value.
import { app } from '../../../scripts/app.js'
import { call } from '../lib/backend.mjs'
import { onCatalog } from '../lib/catalogs.mjs'
import { hideWidget, redraw, refit } from '../lib/faces.mjs'
import { allNodes, onGraphChange, samplersOf } from '../lib/graph.mjs'
import { learnSettings, questionOf, settingsOf } from '../lib/settings.mjs'
import { fill, words } from '../lib/strip.mjs'
import { t } from '../lib/text.mjs'

const SETTING = 'drawthingsnodes.without_effect' // dim, fold or show
/** Sockets of a sampler, by the backend's names. */
const SOCKETS = ['negative_prompt', 'image', 'mask', 'reference', 'control']
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
 * @param {import('../lib/settings.mjs').Question} question
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
 * @typedef {{ sampler: any, connected: string[], effects: Effects }} Answer
 * @typedef {{ reason: string, readers: any[] }} Verdict readers: the samplers that do read it
 */

/**
 * A node may feed several samplers: a setting does nothing only where none of them reads it.
 * @param {string} setting
 * @param {Answer[]} answers
 * @returns {Verdict}
 */
function judge(setting, answers) {
  const reasons = answers.map(({ effects }) => effects.idle[setting] ?? '')
  const readers = answers.filter((_, place) => !reasons[place]).map(({ sampler }) => sampler)
  const found = [...new Set(reasons.filter(Boolean))].join(' ')
  return { reason: found, readers: found ? readers : [] }
}

/** @param {any} node */
function nameOf(node) {
  return `${node.title || node.type} #${node.id}`
}

/**
 * @param {any} node
 * @param {Answer[]} answers of the samplers that it feeds
 */
function apply(node, answers) {
  const way = app.extensionManager.setting?.get(/** @type {any} */ (SETTING)) ?? 'dim'
  const reasons = []
  const partly = []
  let moved = false
  for (const [input, setting] of settingsOf(node)) {
    const widget = node.widgets?.find((/** @type {any} */ one) => one.name === input)
    if (!widget) continue
    const { reason, readers } = judge(setting, answers)
    const idle = reason && !readers.length ? reason : ''
    const label = widget.label ?? widget.name
    if (idle) reasons.push(`${label}: ${idle}`)
    else if (reason) {
      const nodes = readers.map(nameOf).join(', ')
      partly.push(t('matters.only', { setting: label, nodes }))
    }
    dim(widget, way === 'show' ? '' : idle)
    const fold = way === 'fold' && Boolean(idle)
    if (fold !== folded.has(widget)) {
      if (fold) folded.add(widget)
      else folded.delete(widget)
      moved = hideWidget(widget, fold) || moved
    }
  }
  for (const { sampler, connected, effects } of answers) {
    if (sampler !== node) continue
    for (const socket of SOCKETS.filter((one) => connected.includes(one) && effects.idle[one])) {
      reasons.push(t(`matters.${socket}`, { reason: effects.idle[socket] }))
    }
  }
  const families = [...new Set(answers.map(({ effects }) => effects.family).filter(Boolean))]
  tell(node, families.join(', '), reasons, partly)
  if (moved) refit(node, true)
  redraw()
}

/**
 * @param {any} node
 * @param {string} family
 * @param {string[]} reasons for what does nothing
 * @param {string[]} partly what only some samplers read
 */
function tell(node, family, reasons, partly) {
  if (!reasons.length && !partly.length) {
    fill(node, 'matters')
    return
  }
  const count = reasons.length || partly.length
  const key = reasons.length ? 'idle' : 'partly'
  const details = document.createElement('details')
  details.className = 'dt-details'
  const summary = document.createElement('summary')
  summary.textContent = t(SUMMARIES[key][count === 1 ? 0 : 1], { count, family })
  // The canvas below would start to drag the node.
  summary.addEventListener('pointerdown', (event) => event.stopPropagation())
  details.append(summary, ...[...reasons, ...partly].map((line) => words(line, 'reason')))
  details.open = Boolean(node.widgets && opened.has(node))
  details.addEventListener('toggle', () => {
    if (details.open) opened.add(node)
    else opened.delete(node)
  })
  fill(node, 'matters', details)
}

const SUMMARIES = {
  idle: ['matters.one', 'matters.many'],
  partly: ['matters.one_partly', 'matters.many_partly'],
}

/** @type {WeakSet<object>} nodes whose reasons are unfolded */
const opened = new WeakSet()

/** @param {any} node */
async function update(node) {
  const samplers = samplersOf(node)
  const questions = samplers.map(questionOf)
  const key = JSON.stringify([samplers.map(nameOf), questions])
  latest.set(node, key)
  const nothing = { family: '', idle: {} }
  const effects = await Promise.all(
    questions.map((question) => (question.model ? effectsOf(question) : nothing)),
  )
  if (latest.get(node) !== key) return
  const answers = samplers.map((sampler, place) => ({
    sampler,
    connected: questions[place].connected,
    effects: effects[place],
  }))
  apply(node, answers)
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
