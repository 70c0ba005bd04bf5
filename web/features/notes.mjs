// Warnings of the last run, on the node that they concern, until the next one.
import { api } from '../../../scripts/api.js'
import { allNodes, isOurs } from '../lib/graph.mjs'
import { fill, sectionButton, words } from '../lib/strip.mjs'
import { t } from '../lib/text.mjs'

const KEY = 'drawthings_notes' // of what a node gives to the front end
const SHOWN = 3

/**
 * @param {any} node
 * @param {string[]} notes
 * @param {boolean} [all]
 */
function draw(node, notes, all = false) {
  const shown = all ? notes : notes.slice(0, SHOWN)
  /** @type {HTMLElement[]} */
  const rows = shown.map((note) => {
    const row = document.createElement('div')
    row.className = 'dt-note'
    const icon = document.createElement('i')
    icon.className = 'pi pi-exclamation-triangle'
    row.append(icon, words(note))
    return row
  })
  if (notes.length > SHOWN) {
    const label = all ? t('notes.less') : t('notes.more', { count: notes.length - SHOWN })
    rows.push(sectionButton(label, () => draw(node, notes, !all)))
  }
  fill(node, 'notes', ...rows)
}

/** @param {any} output */
function notesOf(output) {
  const notes = output?.[KEY]
  return Array.isArray(notes) ? notes.filter((note) => typeof note === 'string') : []
}

/** @type {import('@comfyorg/comfyui-frontend-types').ComfyExtension} */
export const notes = {
  name: 'drawthingsnodes.notes',
  nodeCreated(created) {
    const node = /** @type {any} */ (created)
    if (!isOurs(node)) return
    const executed = node.onExecuted
    node.onExecuted = function (/** @type {any[]} */ ...values) {
      draw(node, notesOf(values[0]))
      return executed?.apply(this, values)
    }
  },
  setup() {
    api.addEventListener('execution_start', () => {
      for (const node of allNodes()) fill(node, 'notes')
    })
  },
}
