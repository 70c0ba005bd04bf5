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
 * @param {string} language
 * @param {string} key
 * @returns {string | undefined}
 */
function find(language, key) {
  let place = languages[language]?.[SECTION]
  for (const part of key.split('.')) place = place?.[part]
  return typeof place === 'string' ? place : undefined
}

/**
 * @param {string} key such as 'status.connected'
 * @param {Record<string, string | number>} [values] for {name} in the text
 * @returns {string} in the user's language, else in English, else the key
 */
export function t(key, values = {}) {
  const language = String(app.extensionManager?.setting?.get('Comfy.Locale') ?? 'en')
  const found = find(language, key) ?? find('en', key) ?? key
  return found.replace(/\{(\w+)\}/g, (hole, name) => String(values[name] ?? hole))
}
