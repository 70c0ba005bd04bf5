// Warnings of the last run, or why it failed, on the node that they concern, until the next one.
import { api } from '../../../scripts/api.js'
import { allNodes, isOurs, nodeOfPath } from '../lib/graph.mjs'
import { said } from '../lib/sentences.mjs'
import { fill, sectionButton, words } from '../lib/strip.mjs'
import { t } from '../lib/text.mjs'

const NOTES = 'drawthings_note_texts' // of what a node gives to the front end: warnings
const FACTS = 'drawthings_fact_texts' // and what is none
const FAILURE = 'drawthings.Problem' // the type of an error that is a sentence for the user
const SHOWN = 3

const LOOKS = { 'exclamation-triangle': '', 'info-circle': 'dt-fact', 'times-circle': 'dt-failed' }

/**
 * @param {string} text
 * @param {keyof typeof LOOKS} symbol
 * @returns {HTMLElement}
 */
function noteOf(text, symbol) {
  const row = document.createElement('div')
  row.className = `dt-note ${LOOKS[symbol]}`
  const icon = document.createElement('i')
  icon.className = `pi pi-${symbol}`
  row.append(icon, words(text))
  return row
}

/**
 * @param {any} node
 * @param {string[]} notes
 * @param {string[]} facts
 * @param {boolean} [all]
 */
function draw(node, notes, facts, all = false) {
  const shown = all ? notes : notes.slice(0, SHOWN)
  const rows = [
    ...facts.map((fact) => noteOf(fact, 'info-circle')),
    ...shown.map((note) => noteOf(note, 'exclamation-triangle')),
  ]
  if (notes.length > SHOWN) {
    const label = all ? t('notes.less') : t('notes.more', { count: notes.length - SHOWN })
    rows.push(sectionButton(label, () => draw(node, notes, facts, !all)))
  }
  fill(node, 'notes', ...rows)
}

/**
 * @param {any} output
 * @param {string} key
 * @returns {string[]}
 */
function notesOf(output, key) {
  const notes = output?.[key]
  return Array.isArray(notes) ? notes.map(said) : []
}

/** @type {Map<string, import('../lib/sentences.mjs').Text>} why nodes failed, told before ComfyUI tells that they did */
const failures = new Map()

/** @type {import('@comfyorg/comfyui-frontend-types').ComfyExtension} */
export const notes = {
  name: 'drawthingsnodes.notes',
  nodeCreated(created) {
    const node = /** @type {any} */ (created)
    if (!isOurs(node)) return
    const executed = node.onExecuted
    node.onExecuted = function (/** @type {any[]} */ ...values) {
      draw(node, notesOf(values[0], NOTES), notesOf(values[0], FACTS))
      return executed?.apply(this, values)
    }
  },
  setup() {
    api.addEventListener(/** @type {any} */ ('drawthingsnodes.failure'), (message) => {
      const { node, error_text } = /** @type {any} */ (message).detail
      failures.set(String(node), error_text)
    })
    api.addEventListener('execution_start', () => {
      failures.clear()
      for (const node of allNodes()) fill(node, 'notes')
    })
    // Newer front ends say only that a node failed, and keep the reason a click away.
    api.addEventListener('execution_error', (message) => {
      const { node_id, exception_type, exception_message } = /** @type {any} */ (message).detail
      const node = nodeOfPath(node_id)
      if (exception_type !== FAILURE || !node || !isOurs(node)) return
      const text = failures.get(String(node_id))
      fill(node, 'notes', noteOf(text ? said(text) : exception_message.trim(), 'times-circle'))
    })
  },
}
