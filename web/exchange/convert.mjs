// Offers to convert workflows of the official extension; the original is never touched.
import { app } from '../../../scripts/app.js'
import { call } from '../lib/backend.mjs'
import { closeOffer, showChanges, showOffer } from './convert_dialog.mjs'
import { litegraph } from '../lib/faces.mjs'
import { t } from '../lib/text.mjs'

/** @typedef {import('../lib/sentences.mjs').Text} Text */

const SETTING = 'drawthingsnodes.offer_conversion'
const KINDS = new Set(
  ['Sampler', 'Prompt', 'Positive', 'Negative', 'LoRA', 'ControlNet', 'Hints', 'Upscaler',
    'Refiner'].map((name) => `DrawThings${name}`),
)
const OPEN_INPUT = 'comfy-file-input' // behind ComfyUI's own "Open"
const LIMIT = 8 * 1024 * 1024 // bytes; the backend takes no more
const LIFE_MS = 7000

/** @typedef {{ workflow: any, kind: 'ui' | 'api', change_texts: Text[], nodes: number }} Converted */

/** A graph as it was opened whose nodes are missing here, or null. @type {any} */
let opened = null
/** Keys of the workflows whose conversion was declined. @type {Set<string>} */
const declined = new Set()

/** @param {unknown} error */
function sayError(error) {
  const detail = error instanceof Error ? error.message : String(error)
  const summary = t('convert.failed')
  app.extensionManager.toast.add({ severity: 'error', summary, detail, life: LIFE_MS })
}

/**
 * @param {any} graph a saved graph
 * @returns {string[]} the types of the official nodes in it, with those in subgraphs
 */
function officialTypes(graph) {
  const inner = graph?.definitions?.subgraphs ?? []
  const nodes = [graph, ...inner].flatMap((one) => one?.nodes ?? [])
  return nodes.map((node) => String(node?.type)).filter((type) => KINDS.has(type))
}

/**
 * @param {any} data
 * @returns {string[]} the classes of the official nodes in an API prompt
 */
function officialClasses(data) {
  if (data === null || typeof data !== 'object' || Array.isArray(data)) return []
  const nodes = Object.values(data.prompt ?? data)
  const classes = nodes.map((node) => node?.class_type)
  return classes.every((name) => typeof name === 'string')
    ? classes.filter((name) => KINDS.has(name))
    : []
}

/** @param {string[]} types */
function areMissing(types) {
  return types.some((type) => !(type in litegraph().registered_node_types))
}

/** @param {any} graph */
function keyOf(graph) {
  const ids = (graph.nodes ?? []).map((/** @type {any} */ node) => node?.id)
  return `${graph.id ?? ''} ${graph.last_link_id ?? ''} ${ids}`
}

/** @returns {boolean} whether the user wants to be asked */
function mayOffer() {
  return app.extensionManager.setting?.get(/** @type {any} */ (SETTING)) !== false
}

/** Close the list of missing nodes that an older front end has open: it is settled now. */
function closeMissing() {
  for (const dialog of document.querySelectorAll('.p-dialog')) {
    const text = dialog.textContent ?? ''
    const close = /** @type {HTMLElement | null} */ (
      dialog.querySelector('.p-dialog-close-button')
    )
    if ([...KINDS].some((kind) => text.includes(kind))) close?.click()
  }
}

/** @returns {string} the name of the open workflow, without its ending */
function openName() {
  const active = /** @type {any} */ (app.extensionManager).workflow?.activeWorkflow
  return active?.filename || t('convert.unnamed')
}

/**
 * Convert, open the result in a tab of its own, and tell what changed.
 * @param {any} workflow a saved graph or an API prompt
 * @param {string} original its name
 */
async function convertAndOpen(workflow, original) {
  closeMissing()
  try {
    /** @type {Converted} */
    const made = await call('/convert', { workflow })
    const name = t('convert.name', { name: original })
    if (made.kind === 'ui') await app.loadGraphData(made.workflow, true, true, name)
    else await /** @type {any} */ (app).loadApiJson(made.workflow, name)
    showChanges(name, made.nodes, made.change_texts)
  } catch (error) {
    sayError(error)
  }
}

/**
 * Offer to convert an API prompt of the official extension, if that is missing here.
 * @param {string} text
 * @param {string} file its name
 * @returns {boolean} whether it was one
 */
export function offerPrompt(text, file) {
  let data
  try {
    data = JSON.parse(text.replace(/^\uFEFF/, ''))
  } catch {
    return false
  }
  const classes = officialClasses(data)
  if (!mayOffer() || classes.length === 0 || !areMissing(classes)) return false
  showOffer(
    classes.length,
    () => void convertAndOpen(data, file.replace(/\.json$/i, '')),
    () => {},
  )
  return true
}

/** @param {File} file */
async function convertFile(file) {
  let workflow
  try {
    if (file.size > LIMIT) throw new Error(t('convert.too_large', { file: file.name }))
    workflow = JSON.parse((await file.text()).replace(/^\uFEFF/, ''))
  } catch (error) {
    sayError(error instanceof SyntaxError ? t('convert.not_json', { file: file.name }) : error)
    return
  }
  await convertAndOpen(workflow, file.name.replace(/\.json$/i, ''))
}

function chooseFile() {
  const input = document.createElement('input')
  input.type = 'file'
  input.accept = '.json,application/json'
  input.addEventListener('change', () => {
    const [file] = input.files ?? []
    if (file) void convertFile(file)
  })
  input.click()
}

async function convertOpen() {
  const root = /** @type {any} */ (app).rootGraph ?? app.graph
  const graph = JSON.parse(JSON.stringify(root.serialize()))
  if (officialTypes(graph).length === 0) sayError(t('convert.empty'))
  else await convertAndOpen(graph, openName())
}

/**
 * Seen beside ComfyUI, which either opens an API prompt with holes or refuses it.
 * @param {Event} event
 */
async function onOpen(event) {
  const input = /** @type {HTMLInputElement} */ (event.target)
  if (input.id !== OPEN_INPUT) return
  const [file] = input.files ?? []
  if (!file?.name.toLowerCase().endsWith('.json') || file.size > LIMIT) return
  offerPrompt(await file.text(), file.name)
}

/** @type {import('@comfyorg/comfyui-frontend-types').ComfyExtension} */
export const convert = {
  name: 'drawthingsnodes.convert',
  commands: [
    {
      id: 'drawthingsnodes.convertFile',
      label: 'Draw Things: convert a workflow of the official extension…',
      icon: 'pi pi-file-import',
      function: chooseFile,
    },
    {
      id: 'drawthingsnodes.convertOpen',
      label: 'Draw Things: convert the open workflow of the official extension',
      icon: 'pi pi-arrow-right-arrow-left',
      function: convertOpen,
    },
  ],
  menuCommands: [
    {
      path: ['Extensions', 'Draw Things'],
      commands: ['drawthingsnodes.convertFile', 'drawthingsnodes.convertOpen'],
    },
  ],
  async beforeConfigureGraph(graph) {
    closeOffer()
    const types = officialTypes(graph)
    const known = !mayOffer() || declined.has(keyOf(graph))
    const wanted = types.length > 0 && areMissing(types) && !known
    opened = wanted ? JSON.parse(JSON.stringify(graph)) : null
  },
  async afterConfigureGraph() {
    const graph = opened
    opened = null
    if (!graph) return
    showOffer(
      officialTypes(graph).length,
      () => void convertAndOpen(graph, openName()),
      () => void declined.add(keyOf(graph)),
    )
  },
  setup() {
    window.addEventListener('change', (event) => void onOpen(event), true)
  },
}
