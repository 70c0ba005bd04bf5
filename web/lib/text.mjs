// Our strings in the user's language, from ComfyUI's own locales (locales/<lang>/main.json).
import { app } from '../../../scripts/app.js'
import { api } from '../../../scripts/api.js'

const SECTION = 'drawthingsnodes'

/** @type {Record<string, any>} */
let languages = {}

/** Fetch the strings; call once before the first `t`. */
export async function loadTexts() {
  try {
    languages = await (await api.fetchApi('/i18n')).json()
  } catch (error) {
    console.warn('Draw Things: no texts', error)
  }
}

/**
 * @param {string} spoken
 * @param {string} key
 * @returns {string | undefined}
 */
function find(spoken, key) {
  let place = languages[spoken]?.[SECTION]
  for (const part of key.split('.')) place = place?.[part]
  return typeof place === 'string' ? place : undefined
}

/** @returns {string} the user's language */
export function language() {
  return String(app.extensionManager?.setting?.get('Comfy.Locale') ?? 'en')
}

/**
 * @returns {any} all of our locale files in the user's language, as ComfyUI serves them: nodeDefs,
 *   commands, settings; empty where there are none
 */
export function localeFiles() {
  return languages[language()] ?? {}
}

/**
 * @param {string} name of one of our groups of texts
 * @returns {Record<string, string>} empty where the user's language has none
 */
export function section(name) {
  return languages[language()]?.[SECTION]?.[name] ?? {}
}

/**
 * @param {string} key such as 'status.connected'
 * @param {Record<string, string | number>} [values] for {name} in the text
 * @returns {string} in the user's language, else in English, else the key
 */
export function t(key, values = {}) {
  const found = find(language(), key) ?? find('en', key) ?? key
  return found.replace(/\{(\w+)\}/g, (hole, name) => String(values[name] ?? hole))
}
