// What the backend says in English, in the user's language: sentences are recognized by their
// templates in locales (text/sentences.json), and what fills a hole is translated as well.
import { language, nodeNames, section } from './text.mjs'

const HOLE = /\{(\w+)\}/g
const STOP = '。' // of the languages that we have besides English
const COMMA = '、'

/** @typedef {{ key: string, pattern: RegExp, names: string[], literal: number }} Template */

/** @type {Template[]} */
let templates = []

/**
 * @param {string} key
 * @param {string} text "The LoRA {name} has weight 0: it changes nothing."
 * @returns {Template}
 */
function templateOf(key, text) {
  const names = [...text.matchAll(HOLE)].map((found) => found[1])
  const parts = text.split(HOLE).filter((_, place) => place % 2 === 0)
  const escaped = parts.map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  const pattern = new RegExp(`^${escaped.join('([^]+?)')}$`)
  return { key, pattern, names, literal: parts.join('').length }
}

/** @returns {Template[]} those that say most by themselves first */
function allTemplates() {
  if (!templates.length) {
    templates = Object.entries(section('sentences', 'en'))
      .map(([key, text]) => templateOf(key, text))
      .filter(({ literal }) => literal > 2)
      .sort((one, other) => other.literal - one.literal)
  }
  return templates
}

/**
 * @param {string} text
 * @returns {string | undefined} undefined where no template knows it
 */
function byTemplate(text) {
  const spoken = section('sentences')
  for (const { key, pattern, names } of allTemplates()) {
    const found = spoken[key] && text.match(pattern)
    if (!found) continue
    return spoken[key].replace(HOLE, (hole, name) => {
      const place = names.indexOf(name)
      return place < 0 ? hole : filling(found[place + 1])
    })
  }
  return undefined
}

/**
 * @param {string} text of a hole: a reason, a setting, several of them, or a name
 * @returns {string}
 */
function filling(text) {
  const whole = translated(text)
  if (whole) return whole
  const parts = text.split(/, | and /)
  const known = parts.map(translated)
  return known.some(Boolean) ? parts.map((part, place) => known[place] ?? part).join(COMMA) : text
}

/**
 * @param {string} text
 * @returns {string | undefined}
 */
function translated(text) {
  return byTemplate(text) ?? nodeNames().get(text.toLowerCase())
}

/**
 * @param {string} sentence of the backend
 * @returns {string} in the user's language, or as it is where nobody translated it
 */
export function said(sentence) {
  if (!sentence || language() === 'en') return sentence
  const whole = byTemplate(sentence)
  if (whole) return whole
  // A reason, which else is the end of a sentence, told alone.
  const reason = sentence.match(/^([^]+)\.$/)?.[1]
  if (!reason) return sentence
  const found = byTemplate(reason) ?? byTemplate(reason[0].toLowerCase() + reason.slice(1))
  return found ? found + STOP : sentence
}
