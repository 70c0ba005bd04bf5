// What the backend says, in the user's language: a text names its template, which the language
// has, and brings what fills the holes.
import { language, section } from './text.mjs'

/** @typedef {{ key: string, values: Record<string, Filling>, text: string }} Text its English */
/** @typedef {string | number | Text | (string | number | Text)[]} Filling */

/**
 * @param {Text} text
 * @returns {string} in English where nobody translated it
 */
export function said({ key, values, text }) {
  const known = section('sentences')
  if (!Object.hasOwn(known, key)) return text
  return known[key].replace(/\{(\w+)\}/g, (_, name) => filled(values[name]))
}

/**
 * @param {any} answer of the backend
 * @param {string} name of a sentence in it
 * @returns {string} "" where there is none
 */
export function sentenceOf(answer, name) {
  const text = answer?.[`${name}_text`]
  return text ? said(text) : String(answer?.[name] ?? '')
}

/**
 * @param {Filling} value
 * @returns {string}
 */
function filled(value) {
  if (Array.isArray(value)) return new Intl.ListFormat(language()).format(value.map(filled))
  return typeof value === 'object' ? said(value) : String(value)
}
