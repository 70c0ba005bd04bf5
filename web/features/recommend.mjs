// Offers the recommended settings of a model; never takes them over on its own.
import { app } from '../../../scripts/app.js'
import { call } from '../lib/backend.mjs'
import { onCatalog } from '../lib/catalogs.mjs'
import { litegraph } from '../lib/faces.mjs'
import { allNodes, isLinked, linkedFrom, onGraphChange, samplersOf } from '../lib/graph.mjs'
import { asOneStep, setValues } from '../lib/recipe.mjs'
import { said } from '../lib/sentences.mjs'
import { optionsOf, questionOf, settingsOf, widgetFor } from '../lib/settings.mjs'
import { fill, sectionButton, words } from '../lib/strip.mjs'
import { t } from '../lib/text.mjs'

/** @typedef {import('../lib/sentences.mjs').Text} Text */

const SETTING = 'drawthingsnodes.offer_recommended'

/** Where a setting goes that no node of a sampler has yet. */
const HOMES = {
  num_frames: 'DTVideoOptions',
  refiner_model: 'DTRefinerOptions',
  refiner_start: 'DTRefinerOptions',
}
const GAP = 60 // px between a new node and the sampler that it feeds
const ROOM = 90 // px below a new node, for the lines that it will say
const TITLE = 30

/**
 * @typedef {Record<string, any>} Values by setting, or by input of a node
 * @typedef {{ node: any, values: Values }} Change of a node that is there
 * @typedef {{ sampler: any, kind: string, values: Values }} Addition a node that is not there yet
 * @typedef {{ changes: Change[], additions: Addition[] }} Plan
 */

/**
 * @typedef {{
 *   name: string, values: Values, refiner: string, note_texts: Text[]
 * }} Recommended refiner: the name of its file
 */

/** @type {Map<string, Promise<Recommended>>} */
const answers = new Map()
/** @type {WeakMap<object, string>} what was asked last for a node */
const latest = new WeakMap()

/** @param {any} sampler */
function askFor(sampler) {
  const { server, model, layers, loras } = questionOf(sampler)
  const configs = layers.filter((layer) => 'configuration' in layer)
  return model ? ask({ server, model, layers: configs, loras }) : Promise.resolve(NOTHING)
}

/** @type {Recommended} */
const NOTHING = { name: '', values: {}, refiner: '', note_texts: [] }

/**
 * @param {Record<string, unknown>} question
 * @returns {Promise<Recommended>} never rejects
 */
function ask(question) {
  const key = JSON.stringify(question)
  const known = answers.get(key)
  if (known) return known
  const answer = call('/recommended', question).catch(() => {
    answers.delete(key)
    return NOTHING
  })
  answers.set(key, answer)
  return answer
}

/**
 * Another shape of about as many pixels is as good as the recommended one; a size that comes by
 * a link is not ours to choose.
 * @param {any} sampler
 * @param {Values} values by setting
 */
function isSizeFine(sampler, values) {
  if (isLinked(sampler, 'width') || isLinked(sampler, 'height')) return true
  const area = widgetFor(sampler, 'start_width')?.value * widgetFor(sampler, 'start_height')?.value
  const ratio = area / (values.start_width * values.start_height)
  return ratio > 0.6 && ratio < 1.7
}

/**
 * @param {any} node
 * @param {Values} values by setting
 * @returns {Values} by input, those that differ; what comes by a link is not touched
 */
function differing(node, values) {
  /** @type {Values} */
  const found = {}
  for (const [input, setting] of settingsOf(node)) {
    const widget = widgetFor(node, setting)
    if (!widget || widget.name !== input || !(setting in values) || isLinked(node, input)) continue
    const now = widget.value
    const wanted = values[setting]
    // A widget rounds to its step.
    const near = (widget.options?.step2 ?? 0) / 2 + 1e-6
    const same = typeof wanted === 'number' ? Math.abs(now - wanted) < near : now === wanted
    if (!same) found[input] = wanted
  }
  return found
}

/**
 * @param {any} sampler
 * @param {Values} values by setting
 * @returns {Plan} what would have to change for them
 */
function planFor(sampler, values) {
  /** @type {Plan} */
  const plan = { changes: [], additions: [] }
  const { start_width, start_height: _, ...rest } = values
  const own = start_width && !isSizeFine(sampler, values) ? values : rest
  plan.changes.push({ node: sampler, values: differing(sampler, own) })
  const { nodes, whole } = optionsOf(sampler)
  /** @type {Record<string, Values>} */
  const missing = {}
  for (const [setting, kind] of Object.entries(HOMES)) {
    if (!(setting in values)) continue
    const home = nodes.filter((node) => widgetFor(node, setting)).at(-1)
    if (!home) {
      missing[kind] = { ...missing[kind], [setting]: values[setting] }
    } else if (setting !== 'num_frames') {
      // How long a video is to be, a node that says it knows best.
      plan.changes.push({ node: home, values: differing(home, { [setting]: values[setting] }) })
    }
  }
  plan.changes = plan.changes.filter((change) => Object.keys(change.values).length)
  if (whole && linkedFrom(sampler, 'options') !== undefined) {
    for (const [kind, added] of Object.entries(missing)) {
      plan.additions.push({ sampler, kind, values: added })
    }
  }
  return plan
}

/** @param {Plan} plan */
function isEmpty({ changes, additions }) {
  return !changes.length && !additions.length
}

/**
 * @param {Values} values by setting
 * @param {string} refiner
 * @returns {string}
 */
function inWords(values, refiner) {
  const parts = []
  if (values.start_width) {
    parts.push(t('recommend.size', { width: values.start_width, height: values.start_height }))
  }
  if ('steps' in values) parts.push(t('recommend.steps', { value: values.steps }))
  if ('guidance_scale' in values) {
    parts.push(t('recommend.guidance', { value: values.guidance_scale }))
  }
  if ('sampler' in values) parts.push(values.sampler)
  if (values.shift === 0) parts.push(t('recommend.shift_automatic'))
  else if ('shift' in values) parts.push(t('recommend.shift', { value: values.shift }))
  if ('num_frames' in values) parts.push(t('recommend.frames', { value: values.num_frames }))
  if ('refiner_model' in values) parts.push(t('recommend.refiner', { name: refiner }))
  return parts.join(' · ')
}

/** @param {Plan[]} plans */
function carryOut(plans) {
  asOneStep(() => {
    for (const { changes, additions } of plans) {
      for (const { node, values } of changes) setValues(node, values)
      additions.forEach(add)
    }
  })
}

/**
 * Put an options node between the sampler and the options that it has.
 * @param {Addition} addition
 */
function add({ sampler, kind, values }) {
  const made = litegraph().createNode(kind)
  const before = linkedFrom(sampler, 'options')
  if (!made || before === undefined) return
  sampler.graph.add(made)
  made.pos = placeBefore(sampler, made)
  setValues(made, differing(made, values))
  const slot = (/** @type {any} */ node) =>
    node.inputs.findIndex((/** @type {any} */ input) => input.name === 'options')
  before?.node.connect(before.slot, made, slot(made))
  made.connect(0, sampler, slot(sampler))
}

/**
 * @param {any} sampler
 * @param {any} made the node that is to feed it
 * @returns {[number, number]} to its left, below all that is in the way
 */
function placeBefore(sampler, made) {
  const x = sampler.pos[0] - made.size[0] - GAP
  let y = sampler.pos[1]
  const others = /** @type {any[]} */ (sampler.graph._nodes).filter((node) => node !== made)
  for (const { pos, size } of others.sort((one, other) => one.pos[1] - other.pos[1])) {
    const beside = pos[0] > x + made.size[0] || pos[0] + size[0] < x
    const apart = pos[1] - TITLE > y + made.size[1] + ROOM || pos[1] + size[1] + ROOM < y - TITLE
    if (!beside && !apart) y = pos[1] + size[1] + ROOM + TITLE
  }
  return [x, y]
}

/** @param {any} node a DT Model Loader */
async function update(node) {
  if (app.extensionManager.setting?.get(/** @type {any} */ (SETTING)) === false) {
    latest.delete(node)
    fill(node, 'recommend')
    return
  }
  const samplers = samplersOf(node).filter((one) => one.comfyClass === 'DTSampler')
  const key = JSON.stringify(samplers.map((one) => [one.id, questionOf(one)]))
  latest.set(node, key)
  const found = await Promise.all(samplers.map(askFor))
  if (latest.get(node) !== key) return
  const plans = samplers.map((sampler, place) => planFor(sampler, found[place].values))
  const first = plans.findIndex((plan) => !isEmpty(plan))
  if (first < 0) {
    fill(node, 'recommend')
    return
  }
  const { name, values, refiner, note_texts } = found[first]
  const told = inWords(withoutKept(values, plans[first]), refiner)
  const line = document.createElement('div')
  line.className = 'dt-line'
  line.append(
    words(t('recommend.offer', { model: name, values: told })),
    sectionButton(t('recommend.use'), () => carryOut(plans), told),
  )
  const added = new Set(plans.flatMap(({ additions }) => additions.map(({ kind }) => kind)))
  const titles = [...added].map((kind) => litegraph().registered_node_types[kind]?.title ?? kind)
  const more = titles.length ? [t('recommend.adds', { nodes: titles.join(', ') })] : []
  fill(node, 'recommend', line, ...[...more, ...note_texts.map(said)].map((note) => words(note, 'reason')))
}

/**
 * @param {Values} values
 * @param {Plan} plan
 * @returns {Values} without the frames where a node already says how many
 */
function withoutKept(values, plan) {
  const { num_frames, ...rest } = values
  return plan.additions.some((one) => 'num_frames' in one.values) ? values : rest
}

function updateAll() {
  for (const node of allNodes('DTModelLoader')) void update(node)
}

/** @param {any} sampler */
async function useOn(sampler) {
  const { values } = await askFor(sampler)
  if (Object.keys(values).length) {
    carryOut([planFor(sampler, values)])
    return
  }
  const detail = t('recommend.none')
  app.extensionManager.toast.add({ severity: 'info', summary: 'Draw Things', detail, life: 4000 })
}

/** @type {import('@comfyorg/comfyui-frontend-types').ComfyExtension} */
export const recommend = {
  name: 'drawthingsnodes.recommend',
  setup() {
    onGraphChange(updateAll)
    onCatalog(() => {
      answers.clear()
      updateAll()
    })
  },
  getNodeMenuItems(node) {
    if (node.comfyClass !== 'DTSampler') return []
    return [{ content: t('recommend.menu'), callback: () => void useOn(node) }]
  },
}
