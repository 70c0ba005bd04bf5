// Offers the recommended settings of a model; never takes them over on its own.
import { app } from '../../../scripts/app.js'
import { call } from '../lib/backend.mjs'
import { onCatalog } from '../lib/catalogs.mjs'
import { allNodes, onGraphChange, samplersOf, serverRef } from '../lib/graph.mjs'
import { asOneStep, setValues } from '../lib/recipe.mjs'
import { modelFileOf, settingsOf, widgetFor } from '../lib/settings.mjs'
import { fill, sectionButton, words } from '../lib/strip.mjs'
import { t } from '../lib/text.mjs'

/** @typedef {{ name: string, values: Record<string, any>, notes: string[] }} Recommended */

/** @type {Map<string, Promise<Recommended>>} */
const answers = new Map()
/** @type {WeakMap<object, string>} what was asked last for a node */
const latest = new WeakMap()

/**
 * @param {any} node
 * @returns {{ server: import('../lib/graph.mjs').ServerRef, model: string }}
 */
function questionOf(node) {
  return { server: serverRef(node), model: modelFileOf(node) }
}

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
    return { name: '', values: {}, notes: [] }
  })
  answers.set(key, answer)
  return answer
}

/**
 * Another shape of about as many pixels is as good as the recommended one.
 * @param {any} sampler
 * @param {Record<string, any>} values by setting
 */
function isSizeFine(sampler, values) {
  const area = widgetFor(sampler, 'start_width')?.value * widgetFor(sampler, 'start_height')?.value
  const ratio = area / (values.start_width * values.start_height)
  return ratio > 0.6 && ratio < 1.7
}

/**
 * @param {any} sampler
 * @param {Record<string, any>} values by setting
 * @returns {Record<string, any>} by widget, those that differ
 */
function differing(sampler, values) {
  /** @type {Record<string, any>} */
  const found = {}
  const sizeIsFine = isSizeFine(sampler, values)
  for (const [input, setting] of settingsOf(sampler)) {
    const widget = widgetFor(sampler, setting)
    if (!widget || !(setting in values)) continue
    if (sizeIsFine && (setting === 'start_width' || setting === 'start_height')) continue
    const now = widget.value
    const wanted = values[setting]
    const same = typeof wanted === 'number' ? Math.abs(now - wanted) < 1e-6 : now === wanted
    if (!same) found[input] = wanted
  }
  return found
}

/**
 * @param {Record<string, any>} values by setting
 * @returns {string}
 */
function inWords(values) {
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
  return parts.join(' · ')
}

/**
 * @param {any[]} samplers
 * @param {Recommended} recommended
 */
function use(samplers, recommended) {
  asOneStep(() => {
    for (const sampler of samplers) setValues(sampler, differing(sampler, recommended.values))
  })
}

/** @param {any} node a DT Model Loader */
async function update(node) {
  const samplers = samplersOf(node).filter((one) => one.comfyClass === 'DTSampler')
  const question = questionOf(node)
  const key = JSON.stringify(question)
  latest.set(node, key)
  const none = { name: '', values: {}, notes: [] }
  const recommended = samplers.length && question.model ? await ask(question) : none
  if (latest.get(node) !== key) return
  const differs = samplers.some((one) => Object.keys(differing(one, recommended.values)).length)
  if (!differs) {
    fill(node, 'recommend')
    return
  }
  const values = inWords(recommended.values)
  const line = document.createElement('div')
  line.className = 'dt-line'
  line.append(
    words(t('recommend.offer', { model: recommended.name, values })),
    sectionButton(t('recommend.use'), () => use(samplers, recommended), values),
  )
  fill(node, 'recommend', line, ...recommended.notes.map((note) => words(note, 'reason')))
}

function updateAll() {
  for (const node of allNodes('DTModelLoader')) void update(node)
}

/** @param {any} sampler */
async function useOn(sampler) {
  const recommended = await ask(questionOf(sampler))
  if (Object.keys(recommended.values).length) {
    use([sampler], recommended)
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
    return [{ content: `Draw Things: ${t('recommend.menu')}`, callback: () => void useOn(node) }]
  },
}
