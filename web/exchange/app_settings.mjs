// Settings and pictures of the Draw Things app in and out of the graph.
//
// Pasting and dropping are taken only where they are surely ours: text by its keys, a PNG
// without a workflow of ComfyUI. All else goes on to ComfyUI as if we were not there.
import { app } from '../../../scripts/app.js'
import { call, send } from '../lib/backend.mjs'
import { copyText } from '../lib/clipboard.mjs'
import { offerPrompt } from './convert.mjs'
import { textKeywords } from './png_texts.mjs'
import { widgetOf } from '../lib/links.mjs'
import { addRecipe, asOneStep, middle, setValues } from '../lib/recipe.mjs'
import { said } from '../lib/sentences.mjs'
import { t } from '../lib/text.mjs'

/** @typedef {import('../lib/sentences.mjs').Text} Text */

const CONTAINER = '#graph-canvas-container'
const PICTURES = ['image/png', 'image/jpeg']
const PICTURE_LIMIT = 64 * 1024 * 1024 // bytes; the backend takes no more
const TEXT_LIMIT = 1024 * 1024 // characters
const LIFE_MS = 4000
const WORKFLOW_TEXTS = ['workflow', 'prompt']

// Two of these, and none of ComfyUI's own, make a configuration; the backend looks closer.
const KEYS = [
  'model', 'steps', 'sampler', 'seed', 'seedMode', 'seed_mode', 'guidanceScale', 'scale', 'width',
  'height', 'size', 'strength', 'loras', 'lora', 'controls', 'control', 'batchSize', 'shift', 'c',
  'uc', 'clipSkip', 'hiresFix', 'refinerModel', 'numFrames', 'upscaler', 'maskBlur',
]
const FOREIGN = ['nodes', 'last_node_id', 'workflow']

/** @typedef {import('../lib/recipe.mjs').Recipe} Recipe */
/** @typedef {{ recipe: Recipe | null, note_texts: Text[] }} Imported */

/**
 * @param {'success' | 'info' | 'warn' | 'error'} severity
 * @param {string} summary
 * @param {string[]} [lines]
 */
function say(severity, summary, lines = []) {
  const detail = lines.join('\n')
  const toast = app.extensionManager.toast
  toast.add({ severity, summary: summary || 'Draw Things', detail, life: LIFE_MS })
}

/** @param {unknown} error */
function sayError(error) {
  say('error', t('exchange.failed'), [error instanceof Error ? error.message : String(error)])
}

/**
 * @param {any} data
 * @returns {boolean}
 */
function isConfiguration(data) {
  if (Array.isArray(data)) return data.some((row) => !Array.isArray(row) && isConfiguration(row))
  if (data === null || typeof data !== 'object') return false
  if (FOREIGN.some((key) => key in data)) return false
  if (typeof data.v2 === 'object' && data.v2) return true
  if (data.configuration && isConfiguration(data.configuration)) return true
  return KEYS.filter((key) => key in data).length >= 2
}

/**
 * @param {string} text
 * @returns {boolean} whether it looks like a configuration of the app
 */
export function looksLikeConfiguration(text) {
  if (text.length > TEXT_LIMIT || !/^\uFEFF?\s*[[{]/.test(text)) return false
  try {
    return isConfiguration(JSON.parse(text.replace(/^\uFEFF/, '')))
  } catch {
    return false
  }
}

/** @returns {any[]} the selected nodes */
function selected() {
  const canvas = /** @type {any} */ (app.canvas)
  return Object.values(canvas?.selected_nodes ?? {})
}

/** @returns {any} the one selected node that takes a configuration */
function receiver() {
  const nodes = selected()
  const only = nodes.length === 1 ? nodes[0] : null
  return ['DTSampler', 'DTConfig'].includes(only?.type) ? only : null
}

/** @returns {[number, number]} where the mouse is, in px of the canvas */
function pointer() {
  const [x, y] = /** @type {any} */ (app.canvas).graph_mouse
  return [x, y]
}

/**
 * @param {Recipe} recipe
 * @returns {string[]} what it holds besides DT Sampler's own fields
 */
function beyondSampler(recipe) {
  const litegraph = /** @type {any} */ (globalThis).LiteGraph
  return recipe.nodes.flatMap((part) => {
    if (['DTSampler', 'DTSaveImage', 'SaveVideo'].includes(part.type)) return []
    if (part.type === 'DTPrompt') return part.values?.text ? [part.title ?? part.type] : []
    if (part.type === 'DTModelLoader') return part.values?.model ? [String(part.values.model)] : []
    return [litegraph.registered_node_types[part.type]?.title ?? part.type]
  })
}

/**
 * @param {any} node a DT Sampler
 * @param {Imported} answer
 */
function fillSampler(node, answer) {
  const recipe = /** @type {Recipe} */ (answer.recipe)
  const values = recipe.nodes.find((part) => part.type === 'DTSampler')?.values ?? {}
  const set = asOneStep(() => setValues(node, values))
  const fields = set
    .filter((name) => name !== 'control_after_generate')
    .map((name) => widgetOf(node, name)?.label ?? name)
  const rest = beyondSampler(recipe)
  const lines = rest.length ? [t('exchange.not_taken', { parts: rest.join(', ') })] : []
  if (fields.length === 0) say('warn', t('exchange.no_fields'), lines)
  else say('success', t('exchange.fields_set', { fields: fields.join(', ') }), lines)
}

/**
 * @param {Imported} answer
 * @param {ArrayLike<number>} place
 */
function addGraph(answer, place) {
  addRecipe(/** @type {Recipe} */ (answer.recipe), place)
  const notes = answer.note_texts.map(said)
  say(notes.length ? 'info' : 'success', t('exchange.added'), notes)
}

/**
 * Use a configuration: on the node if there is one, else as a graph.
 * @param {string} text
 * @param {any} node DT Sampler, DT Config or null
 * @param {ArrayLike<number>} place
 * @returns {Promise<boolean>} whether it was a configuration
 */
async function use(text, node, place) {
  try {
    /** @type {Imported} */
    const answer = await call('/import/configuration', { text })
    if (!answer.recipe) return false
    if (node?.type === 'DTSampler') fillSampler(node, answer)
    else if (node?.type === 'DTConfig') {
      asOneStep(() => setValues(node, { configuration: text }))
      say('success', t('exchange.config_set'))
    } else addGraph(answer, place)
  } catch (error) {
    sayError(error)
  }
  return true
}

/**
 * Read the clipboard and use what it holds.
 * @param {any} node DT Sampler, DT Config or null
 * @param {ArrayLike<number>} place
 */
async function pasteFromClipboard(node, place) {
  let text
  try {
    text = await navigator.clipboard.readText()
  } catch {
    say('warn', '', [t('exchange.no_clipboard')])
    return
  }
  const ours = looksLikeConfiguration(text) && (await use(text, node, place))
  if (!ours) say('warn', '', [t('exchange.no_configuration')])
}

/**
 * The node that the backend knows by its path through subgraphs.
 * @param {Record<string, { class_type: string }>} prompt
 * @param {any} node
 * @returns {string | undefined}
 */
function promptId(prompt, node) {
  const id = String(node.id)
  const paths = Object.keys(prompt).filter((path) => path.split(':').at(-1) === id)
  const atTop = node.graph === app.graph || paths.length === 1
  const path = atTop && prompt[id] ? id : paths[0]
  return prompt[path]?.class_type === node.type ? path : undefined
}

/**
 * Put the configuration that a DT Sampler would send on the clipboard.
 * @param {any} [chosen]
 */
async function copy(chosen) {
  try {
    const { output } = /** @type {any} */ (await app.graphToPrompt())
    const samplers = Object.keys(output).filter((id) => output[id].class_type === 'DTSampler')
    const node = chosen ?? selected().find((one) => one.type === 'DTSampler')
    const id = node ? promptId(output, node) : samplers.length === 1 ? samplers[0] : undefined
    if (id === undefined) {
      say('warn', '', [t('exchange.no_sampler')])
      return
    }
    /** @type {{ text: string, note_texts: Text[] }} */
    const answer = await call('/export/configuration', { prompt: output, node: id })
    if (!(await copyText(answer.text))) throw new Error(t('exchange.no_clipboard'))
    const lines = [t('exchange.copied_detail'), ...answer.note_texts.map(said)]
    say(answer.note_texts.length ? 'info' : 'success', t('exchange.copied'), lines)
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error)
    say('error', t('exchange.copy_failed'), [detail])
  }
}

/**
 * @param {EventTarget | null} target
 * @returns {boolean} whether a paste there belongs to something else than the canvas
 */
function isField(target) {
  return (
    target instanceof Element &&
    target.closest('input, textarea, select, [contenteditable]:not([contenteditable="false"])') !==
      null
  )
}

/** @param {ClipboardEvent} event */
function onPaste(event) {
  if (event.defaultPrevented || isField(event.target) || isField(document.activeElement)) return
  const data = event.clipboardData
  if (!data || data.files.length > 0) return
  const text = data.getData('text/plain')
  if (!looksLikeConfiguration(text)) return
  event.preventDefault()
  event.stopPropagation()
  void use(text, receiver(), pointer())
}

/**
 * @param {DragEvent} event
 * @returns {[number, number]} the place in px of the canvas
 */
function placeOf(event) {
  const canvas = /** @type {any} */ (app.canvas)
  canvas.adjustMouseEvent?.(event)
  const { canvasX, canvasY } = /** @type {any} */ (event)
  return Number.isFinite(canvasX) ? [canvasX, canvasY] : middle()
}

/**
 * @param {File} file
 * @returns {boolean}
 */
function isPicture(file) {
  return PICTURES.includes(file.type) && file.size <= PICTURE_LIMIT
}

/**
 * @param {File} file
 * @returns {boolean}
 */
function isJson(file) {
  return file.name.toLowerCase().endsWith('.json') && file.size <= TEXT_LIMIT
}

/**
 * @param {File} file
 * @param {[number, number]} place
 * @returns {Promise<boolean>} whether it was ours
 */
async function takeFile(file, place) {
  if (isJson(file)) {
    const text = await file.text()
    if (offerPrompt(text, file.name)) return true
    return looksLikeConfiguration(text) && use(text, null, place)
  }
  const keywords = textKeywords(await file.arrayBuffer())
  if (keywords.some((keyword) => WORKFLOW_TEXTS.includes(keyword))) return false
  try {
    /** @type {Imported} */
    const answer = await send('/import/picture', file)
    if (!answer.recipe) return false
    addGraph(answer, place)
    return true
  } catch (error) {
    console.warn('Draw Things: the picture was not read', error)
    return false
  }
}

/** @param {DragEvent} event */
function onDrop(event) {
  const files = [...(event.dataTransfer?.files ?? [])]
  const [file] = files
  if (event.defaultPrevented || files.length !== 1) return
  if (!isPicture(file) && !isJson(file)) return
  event.preventDefault()
  event.stopPropagation()
  const anyApp = /** @type {any} */ (app)
  const below = anyApp.dragOverNode
  anyApp.dragOverNode = null // ComfyUI would clear it, and does not hear of this drop
  const place = placeOf(event)
  const mouse = /** @type {any} */ (app.canvas).graph_mouse
  mouse[0] = place[0]
  mouse[1] = place[1]
  // The node comes first, as with ComfyUI, and now: the event holds its files no longer.
  const taken = below?.graph && below.onDragDrop ? below.onDragDrop(event) : false
  void Promise.resolve(taken).then(async (done) => {
    if (done || (await takeFile(file, place))) return
    await anyApp.handleFile(file, 'file_drop')
  })
}

/** @type {import('@comfyorg/comfyui-frontend-types').ComfyExtension} */
export const exchange = {
  name: 'drawthingsnodes.exchange',
  commands: [
    {
      id: 'drawthingsnodes.pasteConfiguration',
      label: 'Draw Things: paste configuration',
      icon: 'pi pi-clipboard',
      function: () => pasteFromClipboard(receiver(), middle()),
    },
    {
      id: 'drawthingsnodes.copyConfiguration',
      label: 'Draw Things: copy configuration',
      icon: 'pi pi-copy',
      function: () => copy(),
    },
  ],
  menuCommands: [
    {
      path: ['Extensions', 'Draw Things'],
      commands: ['drawthingsnodes.pasteConfiguration', 'drawthingsnodes.copyConfiguration'],
    },
  ],
  getCanvasMenuItems() {
    const place = pointer()
    return [
      {
        content: t('exchange.menu_paste'),
        callback: () => void pasteFromClipboard(null, place),
      },
    ]
  },
  getNodeMenuItems(node) {
    const one = /** @type {any} */ (node)
    const paste = {
      content: t('exchange.menu_paste'),
      callback: () => void pasteFromClipboard(one, pointer()),
    }
    if (one.type === 'DTConfig') return [paste]
    if (one.type !== 'DTSampler') return []
    return [paste, { content: t('exchange.menu_copy'), callback: () => void copy(one) }]
  },
  setup() {
    window.addEventListener('paste', onPaste, true)
    const container = /** @type {HTMLElement | null} */ (document.querySelector(CONTAINER))
    container?.addEventListener('drop', onDrop)
  },
}
