// Dims what has no effect for the chosen model and sampler, and says why. Comfort only: a
// dimmed widget keeps and sends its value.
import { app } from '../../../scripts/app.js'
import { call } from '../lib/backend.mjs'
import { onCatalog } from '../lib/catalogs.mjs'
import { hideWidget, isVue, redraw, refit } from '../lib/faces.mjs'
import { allNodes, onGraphChange, samplersOf, savedServer, widgetOf } from '../lib/graph.mjs'
import { said } from '../lib/sentences.mjs'
import { learnSettings, questionOf, settingsOf } from '../lib/settings.mjs'
import { fill, words } from '../lib/strip.mjs'
import { t } from '../lib/text.mjs'

const SETTING = 'drawthingsnodes.without_effect' // dim, fold or show
/** Sockets of a sampler, by the backend's names. */
const SOCKETS = ['negative_prompt', 'image', 'mask', 'reference', 'control']
/** Of DT Server, where a stored one is chosen. */
const SERVER_FIELDS = ['address', 'tls', 'secret_name', 'fingerprint', 'ca_file']
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
  const answer = askFor(question).catch(() => {
    answers.delete(key) // ask again next time
    return { family: '', idle: {} }
  })
  answers.set(key, answer)
  return answer
}

/**
 * @param {import('../lib/settings.mjs').Question} question
 * @returns {Promise<Effects>} with reasons in the user's language
 */
async function askFor(question) {
  const { family, idle_texts } = await call('/effects', question)
  const reasons = Object.entries(idle_texts).map(([name, reason]) => [name, said(reason)])
  return { family, idle: Object.fromEntries(reasons) }
}

/**
 * @param {any} widget
 * @param {string} reason "" gives the widget back
 */
function dim(widget, reason) {
  const known = dimmed.get(widget)
  if (!known && !reason) return
  const before = known ?? { disabled: Boolean(widget.disabled), tooltip: widget.tooltip }
  if (reason) dimmed.set(widget, before)
  else dimmed.delete(widget)
  const why = reason && t('matters.no_effect', { reason })
  widget.tooltip = reason ? [why, before.tooltip].filter(Boolean).join('\n') : before.tooltip
  // The classic canvas would take a text field away, with what the user wrote.
  const field = isVue() ? null : widget.element
  field?.classList.toggle('dt-idle', Boolean(reason))
  const disabled = before.disabled || Boolean(reason && !field)
  if (field) field.title = why
  widget.disabled = disabled
  widget.options = { ...widget.options, disabled }
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
    if (idle) reasons.push(t('matters.reason', { setting: label, reason: idle }))
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

/** @param {any} node a DT Server */
function updateServer(node) {
  const shows = app.extensionManager.setting?.get(/** @type {any} */ (SETTING)) === 'show'
  const reason = savedServer(node) && !shows ? t('matters.saved_server') : ''
  for (const name of SERVER_FIELDS) {
    const widget = widgetOf(node, name)
    if (widget) dim(widget, reason)
  }
  redraw()
}

function updateAll() {
  for (const node of allNodes('DTServer')) updateServer(node)
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
